import { callFields, indexed, kept, literal, message } from '../../ca/service/http2/raw-fields.ts';
import { encodeFrame, FLAGS, SETTING, settings, TYPE, uint32 } from '../../ca/service/http2/raw-frame.ts';
import { below, oneOf, type Random } from '../random.ts';

export const [OURS, OTHERS] = ['/test.Service/Method', '/test.Service/Other'];
/** Bytes of a message at most, and calls at once. */
export const [LARGEST, CONCURRENT] = [40_000, 3];
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What a client says that breaks no rule, frame by frame; the preface is the first. */
export interface Conversation {
  readonly frames: readonly Buffer[];
  /** Streams whose call comes whole and is not given up. */
  readonly whole: readonly number[];
}

const LARGEST_PAYLOAD = 16_384;
const ROOM = 1_000_000;

/** @param path of each call */
export function conversation(random: Random, path: (random: Random) => string): Conversation {
  const first = oneOf(random, [[], [[SETTING.INITIAL_WINDOW_SIZE, below(random, 100_000)] as const], [[0x99, 1] as const]]);
  const frames = [PREFACE, encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, settings(...first))];
  const waiting = Array.from(
    { length: 1 + below(random, oneOf(random, [6, 6, 12])) },
    (_, n) => 2 * n + 1 + 2 * below(random, 2) * n,
  );
  const open: Buffer[][] = [];
  const whole: number[] = [];
  let [table, acknowledged, last] = [0, false, -1];
  while (waiting.length > 0 || open.length > 0) {
    if (random() < 0.3) frames.push(ofConnection(random));
    if (!acknowledged && random() < 0.3) {
      acknowledged = true;
      frames.push(encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 0));
    }
    if (open.length === 0 || (waiting.length > 0 && random() < 0.3)) {
      const stream = Math.max(waiting.shift() ?? 1, last + 2);
      last = stream;
      const put = random() < 0.2;
      const more = put ? kept('x-kept', `${stream}`) : table > 0 && random() < 0.5 ? indexed(62) : Buffer.alloc(0);
      if (put) table++;
      const givenUp = random() < 0.2;
      if (!givenUp) whole.push(stream);
      const [head = Buffer.alloc(0), ...body] = callOn(stream, random, callFields(path(random), more), givenUp);
      // In the order of their streams, and of what they put into the table.
      frames.push(head);
      open.push(body);
    }
    const call = oneOf(random, open);
    const next = call.shift();
    if (next !== undefined) frames.push(next);
    if (call.length === 0) open.splice(open.indexOf(call), 1);
  }
  if (!acknowledged) frames.push(encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 0));
  // Room for every answer; what comes last is what lets them go.
  const room = [
    encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, settings([SETTING.INITIAL_WINDOW_SIZE, ROOM])),
    encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 0, uint32(ROOM)),
  ];
  frames.push(...(random() < 0.5 ? room : room.toReversed()));
  return { frames, whole };
}

function ofConnection(random: Random): Buffer {
  switch (below(random, 7)) {
    case 0:
      return encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 0, uint32(1 + below(random, 50_000)));
    case 1: {
      const windows = oneOf(random, [[below(random, 100_000)], [below(random, 100_000), below(random, 10)]]);
      const entries = windows.map((size) => [SETTING.INITIAL_WINDOW_SIZE, size] as const);
      return encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, settings([SETTING.HEADER_TABLE_SIZE, below(random, 5000)], ...entries));
    }
    case 2:
      return encodeFrame(TYPE.PRIORITY, FLAGS.NONE, 1 + 2 * below(random, 5), Buffer.alloc(5));
    case 3:
      return encodeFrame(0x42, below(random, 256), below(random, 9), Buffer.alloc(below(random, 20)));
    case 4:
      return random() < 0.1
        ? encodeFrame(TYPE.GOAWAY, FLAGS.NONE, 0, Buffer.alloc(8))
        : encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0);
    default:
      return encodeFrame(TYPE.PING, FLAGS.NONE, 0, Buffer.from(Array.from({ length: 8 }, () => below(random, 256))));
  }
}

/** The frames of a call; those that nothing may come between are one. */
function callOn(stream: number, random: Random, fields: Buffer, givenUp: boolean): Buffer[] {
  const frames = [headers(stream, random, fields, FLAGS.NONE)];
  const length = oneOf(random, [1, 10, 100, LARGEST]);
  // The first byte says what the method does.
  const body = message(Buffer.alloc(1 + below(random, length), Buffer.of(below(random, 256), 0)));
  const trailers = random() < 0.2;
  const cuts = Array.from({ length: below(random, 3) }, () => below(random, body.length)).toSorted((a, b) => a - b);
  const parts = [0, ...cuts].map((start, n) => body.subarray(start, cuts[n])).flatMap(small);
  for (const [n, part] of parts.entries()) {
    if (random() < 0.2) frames.push(encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, stream, uint32(1 + below(random, 30_000))));
    frames.push(data(stream, random, part, n === parts.length - 1 && !trailers ? FLAGS.END_STREAM : FLAGS.NONE));
  }
  if (trailers) frames.push(headers(stream, random, literal('x-trailer', 'y'), FLAGS.END_STREAM));
  const reset = encodeFrame(TYPE.RST_STREAM, FLAGS.NONE, stream, uint32(8));
  return givenUp ? [...frames.slice(0, 1 + below(random, frames.length)), reset] : frames;
}

function small(part: Buffer): Buffer[] {
  const most = LARGEST_PAYLOAD - 300;
  return part.length <= most ? [part] : [part.subarray(0, most), ...small(part.subarray(most))];
}

function data(stream: number, random: Random, part: Buffer, flags: number): Buffer {
  if (random() < 0.7) return encodeFrame(TYPE.DATA, flags, stream, part);
  const padding = below(random, 256);
  return encodeFrame(TYPE.DATA, flags | FLAGS.PADDED, stream, Buffer.concat([Buffer.of(padding), part, Buffer.alloc(padding)]));
}

function headers(stream: number, random: Random, fields: Buffer, end: number): Buffer {
  const cut = random() < 0.3 ? below(random, fields.length) : fields.length;
  let [flags, first] = [end, fields.subarray(0, cut)];
  if (random() < 0.2) [flags, first] = [flags | FLAGS.PRIORITY, Buffer.concat([Buffer.alloc(5), first])];
  const padding = below(random, 256);
  if (random() < 0.2) [flags, first] = [flags | FLAGS.PADDED, Buffer.concat([Buffer.of(padding), first, Buffer.alloc(padding)])];
  if (cut === fields.length) return encodeFrame(TYPE.HEADERS, flags | FLAGS.END_HEADERS, stream, first);
  const rest = fields.subarray(cut);
  const middle = random() < 0.5 ? below(random, rest.length) : 0;
  return Buffer.concat([
    encodeFrame(TYPE.HEADERS, flags, stream, first),
    ...(middle > 0 ? [encodeFrame(TYPE.CONTINUATION, FLAGS.NONE, stream, rest.subarray(0, middle))] : []),
    encodeFrame(TYPE.CONTINUATION, FLAGS.END_HEADERS, stream, rest.subarray(middle)),
  ]);
}
