import { strict as assert } from 'node:assert';
import { FLAGS, type RawFrame, SETTING, TYPE } from '../../ca/service/http2/raw-frame.ts';
import { PREFACE } from './conversation.ts';
import { parsedFrames } from './parsed-frames.ts';

const DEFAULT_WINDOW = 65_535;
const LARGEST_PAYLOAD = 16_384;
/** Bytes that a server lets its clients send on a connection, beside the default. */
const MORE_WINDOW = 1024 * 1024;
/** Bytes before a gRPC message; the last four are its length. */
const PREFIX = 5;
/** Bytes of payloads that have a size; undefined where any will do. */
const SIZES: Readonly<Record<number, number>> = Object.freeze({
  [TYPE.RST_STREAM]: 4,
  [TYPE.PING]: 8,
  [TYPE.GOAWAY]: 8,
  [TYPE.WINDOW_UPDATE]: 4,
});
const WRITTEN: ReadonlySet<number> = new Set([TYPE.DATA, TYPE.HEADERS, TYPE.SETTINGS, ...Object.keys(SIZES).map(Number)]);

/** What must hold of whatever a server writes, told what its client said so far (RFC 9113). Keeps count by itself, in its own way. */
export class WrittenRules {
  readonly frames: RawFrame[] = [];
  /** Streams that were answered to the end, and those that were reset. */
  readonly answered = new Set<number>();
  readonly reset = new Set<number>();
  /** The code of the last GOAWAY. */
  goneAway: number | undefined;
  #lastTaken = Infinity;
  #pings: string[] = [];
  #initial = DEFAULT_WINDOW;
  readonly #granted = new Map<number, number>([[0, DEFAULT_WINDOW]]);
  readonly #sent = new Map<number, number>();
  readonly #begun = new Set<number>();
  readonly #bodies = new Map<number, Buffer[]>();
  /** Bytes of DATA that came, and those that were let come beside what may from the start. */
  readonly #received = new Map<number, number>();
  readonly #letCome = new Map<number, number>();
  /** The stream of the frame that was heard last: what is closed may be closed again for that. */
  #heardOn: number | undefined;

  /** To be told before the server is: the preface, or a frame, or less than one. */
  heardChunk(chunk: Buffer): void {
    this.#heardOn = undefined;
    if (!chunk.equals(PREFACE)) for (const frame of parsedFrames(chunk).frames) this.#heard(frame);
  }

  #heard(said: RawFrame): void {
    const { type, flags, stream, payload } = said;
    this.#heardOn = stream;
    if (type === TYPE.DATA) for (const id of [0, stream]) add(this.#received, id, payload.length);
    if (type === TYPE.PING && (flags & FLAGS.ACK) === 0) this.#pings.push(payload.toString('hex'));
    if (type === TYPE.WINDOW_UPDATE && payload.length === 4) add(this.#granted, stream, payload.readUInt32BE(0) & 0x7fff_ffff);
    if (type === TYPE.SETTINGS && (flags & FLAGS.ACK) === 0 && payload.length % 6 === 0)
      for (let at = 0; at < payload.length; at += 6)
        if (payload.readUInt16BE(at) === SETTING.INITIAL_WINDOW_SIZE) this.#initial = payload.readUInt32BE(at + 2);
  }

  /** Nothing was heard since what was written last. */
  nothingHeard(): void {
    this.#heardOn = undefined;
  }

  /** Bytes that the client may send on the connection. */
  get roomForClient(): number {
    return DEFAULT_WINDOW + (this.#letCome.get(0) ?? 0) - (this.#received.get(0) ?? 0);
  }

  wrote(bytes: Buffer): void {
    const { frames, rest } = parsedFrames(bytes);
    assert.equal(rest.length, 0, 'half a frame was written');
    for (const frame of frames) this.#take(frame);
  }

  /** Bytes that the client gave no room for, as far as it may be told from whole frames. */
  #sends(stream: number, bytes: number): void {
    if (bytes === 0) return;
    for (const [id, allowed] of [
      [0, this.#granted.get(0) ?? 0],
      [stream, this.#initial + (this.#granted.get(stream) ?? 0)],
    ] as const) {
      const sent = (this.#sent.get(id) ?? 0) + bytes;
      assert.ok(sent <= allowed, `${sent} bytes were sent on ${id}, ${allowed} were allowed`);
      this.#sent.set(id, sent);
    }
  }

  /** As much again as came, and on the connection so much more once. */
  #lets(stream: number, more: number, what: string): void {
    add(this.#letCome, stream, more);
    const most = (this.#received.get(stream) ?? 0) + (stream === 0 ? MORE_WINDOW : 0);
    assert.ok(more > 0 && (this.#letCome.get(stream) ?? 0) <= most, `more room than was taken: ${what}, ${more} more`);
  }

  #take(frame: RawFrame): void {
    const { type, flags, stream, payload } = frame;
    const what = `frame ${this.frames.length}: type ${type}, flags ${flags}, stream ${stream}, ${payload.length} bytes`;
    assert.ok(this.goneAway === undefined || this.goneAway === 0, `after an error: ${what}`);
    if (this.frames.length === 0)
      assert.ok(type === TYPE.SETTINGS && flags === FLAGS.NONE, `SETTINGS are not the first, but ${what}`);
    this.frames.push(frame);
    assert.ok(WRITTEN.has(type) && payload.length <= LARGEST_PAYLOAD, what);
    assert.equal(payload.length, SIZES[type] ?? payload.length, what);
    if (type === TYPE.WINDOW_UPDATE) this.#lets(stream, payload.readUInt32BE(0), what);
    else if (type === TYPE.DATA || type === TYPE.HEADERS || type === TYPE.RST_STREAM) assert.ok(stream % 2 === 1, what);
    else assert.equal(stream, 0, what);
    if (stream !== 0) this.#onStream(frame, what);
    if (type === TYPE.SETTINGS) assert.equal(payload.length % 6, 0, what);
    if (type === TYPE.SETTINGS && (flags & FLAGS.ACK) !== 0) assert.equal(payload.length, 0, what);
    if (type === TYPE.PING && flags === FLAGS.ACK) {
      const at = this.#pings.indexOf(payload.toString('hex'));
      assert.equal(at, 0, `not the answer to the next ping: ${what}`);
      this.#pings.shift();
    }
    if (type === TYPE.GOAWAY) {
      const last = payload.readUInt32BE(0);
      assert.ok(last <= this.#lastTaken, `GOAWAY takes more than the one before: ${what}`);
      this.#lastTaken = last;
      this.goneAway = payload.readUInt32BE(4);
    }
  }

  #onStream({ type, flags, stream, payload }: RawFrame, what: string): void {
    if (type === TYPE.RST_STREAM) {
      const again = this.reset.has(stream);
      // NO_ERROR behind an answer asks for no more (RFC 9113, section 8.1); else what is over is reset only for a frame that came on it.
      assert.ok(
        this.#heardOn === stream || (this.answered.has(stream) && !again && payload.readUInt32BE(0) === 0),
        `a reset for nothing: ${what}`,
      );
      this.reset.add(stream);
      return;
    }
    assert.ok(!this.answered.has(stream) && !this.reset.has(stream), `on a stream that is over: ${what}`);
    if (type === TYPE.WINDOW_UPDATE) return;
    if (type === TYPE.HEADERS) {
      assert.ok((flags & ~FLAGS.END_STREAM) === FLAGS.END_HEADERS, what);
      assert.ok(!this.#begun.has(stream) || (flags & FLAGS.END_STREAM) !== 0, `headers in the middle: ${what}`);
      this.#begun.add(stream);
    } else {
      assert.ok(this.#begun.has(stream), `data before headers: ${what}`);
      this.#sends(stream, payload.length);
      this.#bodies.set(stream, [...(this.#bodies.get(stream) ?? []), payload]);
    }
    if ((flags & FLAGS.END_STREAM) === 0) return;
    this.answered.add(stream);
    const body = Buffer.concat(this.#bodies.get(stream) ?? []);
    this.#bodies.delete(stream);
    if (body.length > 0) assert.equal(body.length, PREFIX + body.readUInt32BE(1), `not the whole message: ${what}`);
  }
}

function add(sums: Map<number, number>, id: number, more: number): void {
  sums.set(id, (sums.get(id) ?? 0) + more);
}
