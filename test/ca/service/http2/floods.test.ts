import { strict as assert } from 'node:assert';
import { RawClient } from './raw-client.ts';
import { encodeFrame, FLAGS, SETTING, settings, TYPE, uint32 } from './raw-frame.ts';
import { callFields, literal, message } from './raw-fields.ts';
import { CONCURRENT, PATH, ServerUnderAttack } from './server-under-attack.ts';

const MB = 1024 * 1024;
/** More than any client sends in a second, and what the server may hold of it. */
const [MANY, HELD] = [30_000, 8 * MB];

const HEAD = callFields(PATH);
const UNTIL_CANCELLED = message(Buffer.from('until cancelled'));
const UNTIL_RELEASED = message(Buffer.from('until released'));

function call(stream: number, body: Buffer): Buffer {
  return Buffer.concat([
    encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, stream, HEAD),
    encodeFrame(TYPE.DATA, FLAGS.END_STREAM, stream, body),
  ]);
}

const reset = (stream: number): Buffer => encodeFrame(TYPE.RST_STREAM, FLAGS.NONE, stream, uint32(8));

/** What a client repeats, the nth time; streams are odd and rise. */
const FLOODS: readonly (readonly [name: string, nth: (n: number) => Buffer])[] = [
  ['calls reset at once (CVE-2023-44487)', (n) => Buffer.concat([call(2 * n + 3, UNTIL_CANCELLED), reset(2 * n + 3)])],
  [
    'calls reset before their message has come',
    (n) => Buffer.concat([encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 2 * n + 3, HEAD), reset(2 * n + 3)]),
  ],
  [
    'calls that the server has to reset (CVE-2025-8671)',
    (n) => Buffer.concat([call(2 * n + 3, UNTIL_CANCELLED), encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 2 * n + 3, uint32(0))]),
  ],
  [
    'malformed calls',
    (n) => encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS | FLAGS.END_STREAM, 2 * n + 3, literal(':status', '200')),
  ],
  ['pings (CVE-2019-9512)', (n) => encodeFrame(TYPE.PING, FLAGS.NONE, 0, Buffer.alloc(8, n))],
  ['answers to pings that were not asked', () => encodeFrame(TYPE.PING, FLAGS.ACK, 0, Buffer.alloc(8))],
  ['empty settings (CVE-2019-9515)', () => encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0)],
  [
    'settings that resize windows to and fro',
    (n) => encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, settings([SETTING.INITIAL_WINDOW_SIZE, n % 2])),
  ],
  ['acknowledgements of settings', () => encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 0)],
  ['priorities (CVE-2019-9513)', (n) => encodeFrame(TYPE.PRIORITY, FLAGS.NONE, 2 * n + 3, Buffer.alloc(5))],
  ['empty data (CVE-2019-9518)', () => encodeFrame(TYPE.DATA, FLAGS.NONE, 1)],
  ['data of nothing but padding', () => encodeFrame(TYPE.DATA, FLAGS.PADDED, 1, Buffer.of(1, 0))],
  ['room for nobody', () => encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 1, uint32(1))],
  ['frames of an unknown type', () => encodeFrame(0x42, 0xff, 0, Buffer.alloc(16))],
];

describe('ca/service/http2: a client that sends more than it has calls', () => {
  let server: ServerUnderAttack;
  before(async () => (server = await ServerUnderAttack.start()));
  after(() => server.stop());
  afterEach(() => server.servesOthers());

  for (const [name, nth] of FLOODS)
    it(`is told to be calm: ${name}`, async () => {
      const before = await server.state();
      const client = await RawClient.start(server.port);
      // A call that stays open, for those floods that need one.
      client.send(TYPE.HEADERS, FLAGS.END_HEADERS, 1, HEAD);
      const flood = Array.from({ length: MANY }, (_, n) => nth(n));
      for (let at = 0; at < MANY && !client.ended; at += 1000) await client.bytesTaken(Buffer.concat(flood.slice(at, at + 1000)));
      assert.equal(await client.endedWith(), 'ENHANCE_YOUR_CALM');
      const after = await server.state();
      assert.equal(after.working, before.working);
      client.close();
      assert.ok(after.held - before.held < HELD, `${after.held - before.held} more bytes are held`);
    });

  it('does not get more calls worked on by resetting those that are', async () => {
    const client = await RawClient.start(server.port);
    const { begun } = await server.state();
    for (let n = 0; n < 3 * CONCURRENT; n++) client.bytes(Buffer.concat([call(2 * n + 1, UNTIL_RELEASED), reset(2 * n + 1)]));
    const next = 6 * CONCURRENT + 1;
    client.bytes(call(next, UNTIL_RELEASED));
    assert.equal(await client.streamEnd(next), 'REFUSED_STREAM');
    const { begun: after, working } = await server.state();
    assert.deepEqual([after - begun, working], [CONCURRENT, CONCURRENT]);
    assert.equal((await server.state('release')).working, 0);
    await client.dealtWith();
    client.bytes(call(next + 2, message(Buffer.from('x'))));
    assert.equal(await client.streamEnd(next + 2), 'answered');
    client.close();
  });

  for (const [name, first] of [
    ['before', Buffer.alloc(0)],
    ['after', call(1, message(Buffer.from('x')))],
  ] as const)
    it(`is told to be calm where a header block goes on and on, ${name} a first call (CVE-2024-27316)`, async () => {
      for (const part of [Buffer.alloc(0), literal('x', 'y'), Buffer.alloc(16_384)]) {
        const before = await server.state();
        const client = await RawClient.start(server.port);
        client.bytes(first);
        client.send(TYPE.HEADERS, FLAGS.NONE, 3, HEAD);
        const frame = encodeFrame(TYPE.CONTINUATION, FLAGS.NONE, 3, part);
        const flood = Buffer.concat(Array.from({ length: 100 }, () => frame));
        for (let sent = 0; sent < 100 && !client.ended; sent++) await client.bytesTaken(flood);
        assert.equal(await client.endedWith(), 'ENHANCE_YOUR_CALM');
        const after = await server.state();
        client.close();
        assert.ok(after.held - before.held < HELD, `${after.held - before.held} more bytes are held`);
      }
    });
});
