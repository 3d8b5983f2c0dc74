import { strict as assert } from 'node:assert';
import { BareConnection, headersOf, told } from './bare-connection.ts';
import { message } from './raw-fields.ts';
import { encodeFrame, FLAGS, TYPE } from './raw-frame.ts';

const DEFAULT_WINDOW = 65_535;
const MORE_WINDOW = 1024 * 1024;
const LARGEST = 200_000;
const PART = 16_384;
const never = () => new Promise<never>(() => undefined);
const data = (stream: number, length: number, flags: number = FLAGS.NONE) =>
  encodeFrame(TYPE.DATA, flags, stream, Buffer.alloc(length));

describe('ca/service/http2: how much a client may send', () => {
  it('is enough for message after message, each larger than the window of its stream', async () => {
    const answer = { bytes: message(Buffer.from('x')) };
    const lengths: number[] = [];
    const bare = new BareConnection({
      method: (call) => {
        lengths.push(call.message.length);
        return Promise.resolve(answer);
      },
      largest: LARGEST,
    });
    const body = message(Buffer.alloc(LARGEST));
    let connection = DEFAULT_WINDOW + MORE_WINDOW;
    for (let stream = 1; stream <= 39; stream += 2) {
      let window = DEFAULT_WINDOW;
      bare.connection.receive(headersOf(stream));
      for (let at = 0; at < body.length; at += PART) {
        const part = body.subarray(at, at + PART);
        [connection, window] = [connection - part.length, window - part.length];
        assert.ok(connection >= 0 && window >= 0, `no room on stream ${stream} after ${at} bytes`);
        const last = at + PART >= body.length;
        bare.connection.receive(encodeFrame(TYPE.DATA, last ? FLAGS.END_STREAM : FLAGS.NONE, stream, part));
        for (const frame of bare.frames()) {
          if (frame.type !== TYPE.WINDOW_UPDATE) continue;
          const more = frame.payload.readUInt32BE(0);
          if (frame.stream === 0) connection += more;
          else window += more;
        }
      }
      await Promise.resolve();
    }
    assert.deepEqual(
      lengths,
      Array.from({ length: 20 }, () => LARGEST),
    );
  });

  it('is given again on a stream once more than half is used, whatever of it was padding', () => {
    const bare = new BareConnection({ method: never, largest: LARGEST });
    assert.deepEqual(bare.receive(headersOf(1), data(1, PART), data(1, PART - 1)), []);
    bare.connection.receive(encodeFrame(TYPE.DATA, FLAGS.PADDED, 1, Buffer.of(0)));
    const [given, ...more] = bare.frames();
    assert.ok(given !== undefined);
    assert.deepEqual([told(given), given.payload.readUInt32BE(0), more], ['WINDOW_UPDATE 1', 2 * PART, []]);
    // On its last frame nobody needs it.
    assert.deepEqual(bare.receive(data(1, PART), data(1, PART), data(1, PART, FLAGS.END_STREAM)), [
      'WINDOW_UPDATE 1',
      'HEADERS 1 END',
    ]);
  });

  it('is given again on the connection for what is ignored too', () => {
    const bare = new BareConnection({ method: never, largest: LARGEST });
    bare.receive(headersOf(1));
    bare.connection.goAway();
    bare.receive(headersOf(3));
    const said = bare.receive(...Array.from({ length: 70 }, () => data(3, PART)));
    assert.deepEqual(said, ['WINDOW_UPDATE', 'WINDOW_UPDATE']);
  });

  it('is no padding that is as long as its frame', () => {
    const padded = (payload: Buffer) => {
      const bare = new BareConnection({ method: never });
      return bare.receive(headersOf(1), encodeFrame(TYPE.DATA, FLAGS.PADDED, 1, payload));
    };
    for (const payload of [Buffer.of(0), Buffer.of(1, 0), Buffer.of(3, 0, 0, 0)]) assert.deepEqual(padded(payload), []);
    for (const payload of [Buffer.alloc(0), Buffer.of(1), Buffer.of(2, 0), Buffer.of(255, 0)])
      assert.deepEqual(padded(payload), ['GOAWAY 1 PROTOCOL_ERROR']);
  });
});
