import { strict as assert } from 'node:assert';
import { setImmediate } from 'node:timers/promises';
import { BareConnection, dataOf, headersOf } from './bare-connection.ts';
import { literal, message } from './raw-fields.ts';
import { encodeFrame, FLAGS, SETTING, settings, TYPE, uint32 } from './raw-frame.ts';

const LARGEST = 100;
const ANSWERED = ['HEADERS 1', 'DATA 1', 'HEADERS 1 END'];
const never = () => new Promise<never>(() => undefined);
const answer = (length: number) => () => Promise.resolve({ bytes: message(Buffer.alloc(length)) });
const room = (stream: number, more: number) => encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, stream, uint32(more));
const windows = (size: number) => encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, settings([SETTING.INITIAL_WINDOW_SIZE, size]));
const data = (stream: number, length: number, flags: number = FLAGS.NONE) =>
  encodeFrame(TYPE.DATA, flags, stream, Buffer.alloc(length));
const trailers = (stream: number) =>
  encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS | FLAGS.END_STREAM, stream, literal('x-trailer', 'y'));

describe('ca/service/http2: what is said last', () => {
  it('comes before the end of the connection, where SETTINGS let the last answer go', async () => {
    const bare = new BareConnection({ method: answer(10) });
    bare.receive(windows(0), headersOf(1), dataOf(1, 'x'));
    await setImmediate();
    assert.deepEqual(bare.written(), ['HEADERS 1']);
    bare.connection.goAway();
    assert.deepEqual([bare.written(), bare.ended], [['GOAWAY 1 NO_ERROR'], 0]);
    assert.deepEqual([bare.receive(windows(100)), bare.ended], [['DATA 1', 'HEADERS 1 END', 'SETTINGS ACK'], 1]);
  });

  it('comes before the end where the last call is refused, its message being too large', () => {
    const bare = new BareConnection({ method: never, largest: LARGEST, isStale: true });
    const said = bare.receive(headersOf(1), data(1, LARGEST + 6));
    assert.deepEqual([said, bare.ended], [['GOAWAY 1 NO_ERROR', 'HEADERS 1 END', 'RST_STREAM 1 NO_ERROR'], 1]);
  });

  it('is no answer to what comes after the last call was answered', async () => {
    const bare = new BareConnection({ method: answer(10), isStale: true });
    assert.deepEqual(bare.receive(headersOf(1), dataOf(1, 'x')), ['GOAWAY 1 NO_ERROR']);
    await setImmediate();
    assert.deepEqual([bare.written(), bare.ended, bare.connection.over], [ANSWERED, 1, true]);
    assert.deepEqual(bare.receive(encodeFrame(TYPE.PING, FLAGS.NONE, 0, Buffer.alloc(8))), []);
    bare.connection.goAway();
    assert.deepEqual([bare.written(), bare.ended], [[], 1]);
  });

  it('on a stream is its reset: what was on its way then is ignored, until its last frame', () => {
    for (const [why, begin] of [
      ['RST_STREAM 3 REFUSED_STREAM', headersOf(3)],
      ['RST_STREAM 3 PROTOCOL_ERROR', encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 3, literal(':status', '200'))],
    ] as const)
      for (const last of [trailers(3), data(3, 1, FLAGS.END_STREAM)]) {
        const bare = new BareConnection({ method: never });
        assert.deepEqual(bare.receive(headersOf(1), begin), [why]);
        assert.deepEqual(bare.receive(data(3, 10), room(3, 10), data(3, 10), last), []);
        assert.deepEqual(bare.receive(data(3, 1)), ['RST_STREAM 3 STREAM_CLOSED']);
        assert.deepEqual(bare.receive(headersOf(5)), ['RST_STREAM 5 REFUSED_STREAM']);
      }
    const large = new BareConnection({ method: never, largest: LARGEST });
    assert.deepEqual(large.receive(headersOf(1), data(1, LARGEST + 6)), ['HEADERS 1 END', 'RST_STREAM 1 NO_ERROR']);
    assert.deepEqual(large.receive(data(1, 1000), trailers(1)), []);
  });

  it('on a stream is forgotten once a hundred more were reset', () => {
    const bare = new BareConnection({ method: never });
    bare.receive(headersOf(1), ...Array.from({ length: 101 }, (_, n) => headersOf(2 * n + 3)));
    assert.deepEqual(bare.receive(data(5, 1)), []);
    assert.deepEqual(bare.receive(data(3, 1)), ['RST_STREAM 3 STREAM_CLOSED']);
  });

  it('on a stream that the client ended is STREAM_CLOSED', async () => {
    const bare = new BareConnection({ method: answer(10) });
    bare.receive(headersOf(1), dataOf(1, 'x'));
    await setImmediate();
    assert.deepEqual(bare.written(), ANSWERED);
    assert.deepEqual(bare.receive(data(1, 1)), ['RST_STREAM 1 STREAM_CLOSED']);
    assert.deepEqual(bare.receive(headersOf(3), encodeFrame(TYPE.RST_STREAM, FLAGS.NONE, 3, uint32(8)), data(3, 1)), [
      'RST_STREAM 3 STREAM_CLOSED',
    ]);
    const ended = new BareConnection({ method: answer(10) });
    ended.receive(headersOf(1), dataOf(1, 'x'));
    await setImmediate();
    ended.written();
    assert.deepEqual(ended.receive(trailers(1)), ['GOAWAY 1 STREAM_CLOSED']);
  });

  it('to frames on streams that only the server may begin is PROTOCOL_ERROR', () => {
    for (const even of [data(2, 1), room(2, 1), encodeFrame(TYPE.RST_STREAM, FLAGS.NONE, 2, uint32(8)), headersOf(2)]) {
      const bare = new BareConnection({ method: never });
      assert.deepEqual([bare.receive(headersOf(3), even), bare.ended], [['GOAWAY 3 PROTOCOL_ERROR'], 1]);
    }
  });

  it('to a flood of what is ignored is ENHANCE_YOUR_CALM', () => {
    const floods: readonly ((n: number) => Buffer)[] = [
      (n) => headersOf(2 * n + 5),
      () => data(3, 1),
      () => data(3, 0),
      () => encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 3, literal('x', 'y')),
    ];
    for (const nth of floods)
      for (const gone of [true, false]) {
        const bare = new BareConnection({ method: never });
        bare.receive(headersOf(1));
        if (gone) bare.connection.goAway();
        bare.receive(headersOf(3));
        const said = bare.receive(...Array.from({ length: 10_001 }, (_, n) => nth(n)));
        assert.equal(said.at(-1), 'GOAWAY 1 ENHANCE_YOUR_CALM');
      }
  });
});
