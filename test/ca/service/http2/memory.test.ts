import { strict as assert } from 'node:assert';
import { eventually } from '../../../eventually.ts';
import { RawClient } from './raw-client.ts';
import { encodeFrame, FLAGS, type RawFrame, SETTING, settings, TYPE, uint32 } from './raw-frame.ts';
import { callFields, indexed, kept, literal, message } from './raw-fields.ts';
import { CONCURRENT, LARGE, LARGEST, PATH, ServerUnderAttack, type State } from './server-under-attack.ts';

const MB = 1024 * 1024;
const HEAD = callFields(PATH);
const LARGEST_WINDOW = 0x7fff_ffff;
const ODD = Array.from({ length: CONCURRENT }, (_, n) => 2 * n + 1);

const headers = (stream: number, block = HEAD): Buffer => encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, stream, block);
const end = (stream: number, body: Buffer): Buffer => encodeFrame(TYPE.DATA, FLAGS.END_STREAM, stream, body);
const room = (stream: number, bytes: number): Buffer => encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, stream, uint32(bytes));

describe('ca/service/http2: memory that clients can make the server hold', () => {
  let server: ServerUnderAttack;
  let start: State;
  before(async () => (server = await ServerUnderAttack.start()));
  after(() => server.stop());
  beforeEach(async () => (start = await server.state()));
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.servesOthers();
  });

  const clients: RawClient[] = [];
  async function connected(options: { settings?: Uint8Array } = {}): Promise<RawClient> {
    const client = await RawClient.start(server.port, options);
    clients.push(client);
    return client;
  }

  async function assertHeld(most: number): Promise<void> {
    const { held } = await server.state();
    assert.ok(held - start.held < most, `${held - start.held} more bytes are held`);
  }

  function bodyOf(frames: readonly RawFrame[], stream: number): Buffer {
    return Buffer.concat(frames.filter((one) => one.type === TYPE.DATA && one.stream === stream).map(({ payload }) => payload));
  }

  it('is not that of answers for which there is no room, and they come whole when there is', async () => {
    const client = await connected({ settings: settings([SETTING.INITIAL_WINDOW_SIZE, 0]) });
    for (const stream of ODD) client.bytes(Buffer.concat([headers(stream), end(stream, message(Buffer.from('large')))]));
    const [last = 0] = ODD.slice(-1);
    client.bytes(Buffer.concat([headers(last + 2), end(last + 2, message(Buffer.from('large')))]));
    assert.equal(await client.streamEnd(last + 2), 'REFUSED_STREAM');
    await assertHeld(4 * MB);
    client.bytes(Buffer.concat([room(0, 10 * LARGE), room(last, 3), room(last, LARGE + 2)]));
    assert.equal(await client.streamEnd(last), 'answered');
    assert.ok(bodyOf(client.frames, last).equals(message(Buffer.alloc(LARGE, 'x'))));
    assert.equal(bodyOf(client.frames, 1).length, 0);
  });

  for (const [name, calls, body] of [
    ['answers', 10_000, message(Buffer.alloc(4096))],
    ['errors', 60_000, Buffer.alloc(0)],
  ] as const)
    it(`is not that of ${name} that nobody reads: then it reads no more calls`, async () => {
      const client = await connected();
      client.bytes(room(0, LARGEST_WINDOW - 65_535));
      await client.dealtWith();
      client.stopReading();
      for (let n = 0; n < calls; n++) client.bytes(Buffer.concat([headers(2 * n + 1), end(2 * n + 1, body)]));
      // It takes what fits into the buffers of both kernels, and no more: the same twice.
      let held = -1;
      await eventually('the server has no more to do', async () => {
        const now = await server.state();
        const settled = now.held === held && now.working === start.working;
        held = now.held;
        return settled || undefined;
      });
      await assertHeld(12 * MB);
      client.readOn();
      assert.equal(await client.streamEnd(2 * calls - 1), 'answered');
    });

  for (const [name, piece] of [
    ['single bytes', (stream: number) => encodeFrame(TYPE.DATA, FLAGS.NONE, stream, Buffer.of(0))],
    [
      'single bytes with padding',
      (stream: number) => encodeFrame(TYPE.DATA, FLAGS.PADDED, stream, Buffer.concat([Buffer.of(200), Buffer.alloc(201)])),
    ],
  ] as const)
    it(`is that of the messages where these come in ${name}`, async () => {
      const client = await connected();
      const [streams, bytes] = [20, 30_000];
      const prefix = message(Buffer.alloc(bytes)).subarray(0, 5);
      for (const stream of ODD.slice(0, streams)) {
        client.bytes(Buffer.concat([headers(stream), encodeFrame(TYPE.DATA, FLAGS.NONE, stream, prefix)]));
        const some = Buffer.concat(Array.from({ length: 1000 }, () => piece(stream)));
        for (let sent = 0; sent < bytes; sent += 1000) await client.bytesTaken(some);
      }
      assert.ok(await client.dealtWith());
      await assertHeld(4 * streams * LARGEST);
      client.bytes(end(1, Buffer.alloc(0)));
      assert.equal(await client.streamEnd(1), 'answered');
      assert.ok(bodyOf(client.frames, 1).equals(message(Buffer.alloc(bytes))));
    });

  it('is not that of messages longer than allowed', async () => {
    const client = await connected();
    for (const stream of ODD) {
      client.bytes(headers(stream));
      for (let sent = 0; sent <= LARGEST + 5; sent += 16_384) client.send(TYPE.DATA, FLAGS.NONE, stream, Buffer.alloc(16_384));
    }
    for (const stream of ODD) assert.equal(await client.streamEnd(stream), 'answered');
    assert.ok(await client.dealtWith());
    await assertHeld(4 * MB);
  });

  it('is not that of a field repeated by its number: the call is refused, the connection goes on', async () => {
    const client = await connected();
    const bomb = Buffer.concat([HEAD, kept('x', 'y'.repeat(4000)), ...Array.from({ length: 10_000 }, () => indexed(62))]);
    const calls = 200;
    for (let n = 0; n < calls; n++) client.bytes(headers(2 * n + 1, bomb));
    for (let n = 0; n < calls; n++) assert.equal(await client.streamEnd(2 * n + 1), 'ENHANCE_YOUR_CALM');
    await assertHeld(4 * MB);
    client.bytes(Buffer.concat([headers(2 * calls + 1), end(2 * calls + 1, message(Buffer.from('x')))]));
    assert.equal(await client.streamEnd(2 * calls + 1), 'answered');
  });

  it('is not that of header blocks that are large themselves', async () => {
    const client = await connected();
    const block = Buffer.concat([HEAD, ...Array.from({ length: 14 }, () => literal('x', 'y'.repeat(1000)))]);
    client.send(TYPE.HEADERS, FLAGS.NONE, 1, block);
    for (let n = 0; n < 20; n++) client.send(TYPE.CONTINUATION, FLAGS.NONE, 1, Buffer.alloc(16_000));
    assert.equal(await client.endedWith(), 'ENHANCE_YOUR_CALM');
    await assertHeld(4 * MB);
  });

  it('is not asked of clients either: whatever the length of an error, no frame is longer than they said', async () => {
    const client = await connected();
    client.bytes(Buffer.concat([headers(1), end(1, message(Buffer.from('a long error')))]));
    assert.equal(await client.streamEnd(1), 'answered');
    assert.ok(client.frames.every(({ payload }) => payload.length <= 16_384));
    assert.ok(await client.dealtWith());
  });

  it('is small before a first call', async () => {
    const connections = 30;
    for (let n = 0; n < connections; n++) {
      const client = await connected();
      for (let sent = 0; sent < 60; sent++) client.send(0x42, FLAGS.NONE, 0, Buffer.alloc(16_000));
      await client.dealtWith();
    }
    await assertHeld(connections * 200 * 1024);
  });

  it('is that of one frame where it comes byte by byte', async () => {
    const client = await connected();
    for (const byte of Buffer.concat([headers(1), end(1, message(Buffer.from('slow')))]))
      await client.bytesTaken(Buffer.of(byte));
    assert.equal(await client.streamEnd(1), 'answered');
    assert.equal(bodyOf(client.frames, 1).toString('latin1', 5), 'slow');
  });
});
