import { strict as assert } from 'node:assert';
import { eventually } from '../../../eventually.ts';
import { RawClient } from './raw-client.ts';
import { encodeFrame, FLAGS, TYPE, uint32 } from './raw-frame.ts';
import { callFields, message } from './raw-fields.ts';
import { PATH, ServerUnderAttack } from './server-under-attack.ts';

const HEADERS = encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 1, callFields(PATH));
const call = (asked: string): Buffer =>
  Buffer.concat([HEADERS, encodeFrame(TYPE.DATA, FLAGS.END_STREAM, 1, message(Buffer.from(asked)))]);
/** The listener looks every five seconds: a minute, and what a look more may be before the last word has come. */
const [LOOKS, MORE] = [12, 2];

describe('ca/service/http2: a client that falls silent', () => {
  let server: ServerUnderAttack;
  const clients: RawClient[] = [];
  before(async () => (server = await ServerUnderAttack.start()));
  after(() => server.stop());
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.servesOthers();
  });

  async function client(begin: (port: number) => Promise<RawClient> = (port) => RawClient.start(port)): Promise<RawClient> {
    const made = await begin(server.port);
    clients.push(made);
    return made;
  }

  /** Looks so often at most; how often until the connection is over. */
  async function looksUntilOver(silent: RawClient, most = LOOKS + MORE): Promise<number | undefined> {
    for (let look = 1; look <= most; look++) {
      await server.state('look');
      // What the look did has come where a connection made since is served.
      await server.servesOthers();
      if (silent.ended) return look;
    }
    return undefined;
  }

  it('before it says that it speaks HTTP/2 is gone after ten seconds, whatever part of that it said', async () => {
    for (const said of ['', 'P', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r']) {
      const silent = await client((port) => RawClient.open(port));
      silent.bytes(Buffer.from(said));
      await server.servesOthers();
      const looks = await looksUntilOver(silent);
      assert.ok(looks !== undefined && looks <= 3, `${looks} looks`);
    }
  });

  it('and does so byte by byte is gone no later', async () => {
    const slow = await client((port) => RawClient.open(port));
    let looks = 0;
    for (const byte of Buffer.from('PRI * HTTP/2.0')) {
      if (slow.ended) break;
      slow.bytes(Buffer.of(byte));
      await server.servesOthers();
      await server.state('look');
      looks++;
      await server.servesOthers();
    }
    assert.ok(looks <= 3, `${looks} looks`);
  });

  it('but for pings before its first call is with grpc-js after ten seconds, which acknowledges its settings', async () => {
    const pinging = await client();
    pinging.send(TYPE.SETTINGS, FLAGS.ACK, 0);
    for (let look = 0; look < 3; look++) {
      assert.ok(await pinging.dealtWith());
      await server.state('look');
    }
    assert.ok(await pinging.dealtWith());
    assert.ok(pinging.frames.some(({ type, flags }) => type === TYPE.SETTINGS && flags === FLAGS.ACK));
  });

  it('that speaks something else is gone at once', async () => {
    const other = await client((port) => RawClient.open(port));
    other.bytes(Buffer.from('GET / HTTP/1.1\r\nHost: gatehouse\r\n\r\n'));
    assert.equal(await other.endedWith(), 'PROTOCOL_ERROR');
  });

  it('between calls is asked whether it is there, and is gone after a minute without an answer', async () => {
    const silent = await client();
    silent.bytes(call('hello'));
    assert.equal(await silent.streamEnd(1), 'answered');
    const looks = await looksUntilOver(silent);
    assert.ok(looks !== undefined && looks >= LOOKS, `${looks} looks`);
    assert.equal(silent.frames.filter(({ type, flags }) => type === TYPE.PING && flags === FLAGS.NONE).length, 1);
  });

  it('stays where it answers that', async () => {
    const quiet = await client();
    quiet.bytes(call('hello'));
    for (let look = 0; look < 3 * LOOKS; look++) {
      await server.state('look');
      const asked = quiet.frames.findIndex(({ type, flags }) => type === TYPE.PING && flags === FLAGS.NONE);
      const [ping] = asked === -1 ? [] : quiet.frames.splice(asked, 1);
      if (ping !== undefined) quiet.send(TYPE.PING, FLAGS.ACK, 0, ping.payload);
      await server.servesOthers();
    }
    assert.ok(await quiet.dealtWith());
  });

  it('in the middle of a call is gone with its call', async () => {
    for (const part of [HEADERS, HEADERS.subarray(0, -10), call('until cancelled')]) {
      const { working } = await server.state();
      const silent = await client();
      silent.bytes(part);
      assert.notEqual(await looksUntilOver(silent), undefined);
      await eventually('the call has ended', async () => (await server.state()).working === working || undefined);
    }
  });

  it('and reads nothing is gone, with the answers that wait for it', async () => {
    const silent = await client();
    silent.bytes(encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 0, uint32(0x7fff_0000)));
    const { held } = await server.state();
    silent.stopReading();
    for (let n = 0; n < 20; n++) {
      const stream = 2 * n + 1;
      silent.send(TYPE.HEADERS, FLAGS.END_HEADERS, stream, callFields(PATH));
      silent.send(TYPE.WINDOW_UPDATE, FLAGS.NONE, stream, uint32(0x7fff_0000));
      silent.send(TYPE.DATA, FLAGS.END_STREAM, stream, message(Buffer.from('large')));
    }
    await eventually('its answers are made', async () => (await server.state()).held > held + 4_000_000 || undefined);
    for (let look = 0; look < LOOKS + MORE; look++) await server.state('look');
    await eventually('they are gone', async () => (await server.state()).held < held + 2_000_000 || undefined);
  });

  it('after it was told that the connection is over, and goes on itself, is cut off', async () => {
    const stubborn = await client();
    stubborn.send(TYPE.PING, FLAGS.NONE, 1, Buffer.alloc(8));
    assert.equal(await stubborn.endedWith(), 'PROTOCOL_ERROR');
    let cut = false;
    for (let look = 0; look < LOOKS + MORE && !cut; look++) {
      await server.state('look');
      // Written into a connection that is no more, it is answered by a reset.
      await stubborn.bytesTaken(Buffer.alloc(100));
      await server.servesOthers();
      cut = stubborn.closed;
    }
    assert.ok(cut);
  });

  it('that ended its side alone loses the call that is at work', async () => {
    const { working } = await server.state();
    const leaving = await client();
    leaving.bytes(call('until cancelled'));
    await eventually('it is at work', async () => (await server.state()).working === working + 1 || undefined);
    leaving.halfClose();
    await eventually('the call has ended', async () => (await server.state()).working === working || undefined);
    await leaving.frame(() => false);
    assert.ok(leaving.ended);
  });
});
