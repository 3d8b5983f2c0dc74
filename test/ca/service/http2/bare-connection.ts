import { strict as assert } from 'node:assert';
import { UnaryConnection } from '../../../../ca/service/http2/connection.ts';
import { Output } from '../../../../ca/service/http2/output.ts';
import type { RequestHead } from '../../../../ca/service/http2/request-head.ts';
import { isPlain } from '../../../../ca/service/http2/stream.ts';
import type { UnaryMethod } from '../../../../ca/service/http2/unary.ts';
import { callFields, message } from './raw-fields.ts';
import { encodeFrame, errorOf, FLAGS, HEADER, type RawFrame, TYPE } from './raw-frame.ts';

export const PATH = '/test.Service/Method';
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const SETTINGS = encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0);
export const ACKNOWLEDGED = encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 0);

export const headersOf = (stream: number, path = PATH, flags: number = FLAGS.END_HEADERS): Buffer =>
  encodeFrame(TYPE.HEADERS, flags, stream, callFields(path));
export const dataOf = (stream: number, asked: string | Buffer, flags: number = FLAGS.END_STREAM): Buffer =>
  encodeFrame(TYPE.DATA, flags, stream, message(Buffer.from(asked)));

/** Frames as a test reads them: what, on which stream, and why where that is said. */
export function told({ type, flags, stream, payload }: RawFrame): string {
  const [name = `type ${type}`] = Object.entries(TYPE).find(([, value]) => value === type) ?? [];
  if (type === TYPE.GOAWAY) return `GOAWAY ${payload.readUInt32BE(0)} ${errorOf({ type, flags, stream, payload })}`;
  if (type === TYPE.RST_STREAM) return `RST_STREAM ${stream} ${errorOf({ type, flags, stream, payload })}`;
  const ends = (type === TYPE.HEADERS || type === TYPE.DATA) && (flags & FLAGS.END_STREAM) !== 0 ? ' END' : '';
  const answers = (type === TYPE.SETTINGS || type === TYPE.PING) && (flags & FLAGS.ACK) !== 0 ? ' ACK' : '';
  return `${name}${stream === 0 ? '' : ` ${stream}`}${ends}${answers}`;
}

/** Whole frames, and nothing else. */
export function framesIn(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + HEADER + bytes.readUIntBE(at, 3);
    const [type, flags, stream] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5)];
    frames.push({ type, flags, stream, payload: bytes.subarray(at + HEADER, end) });
    at = end;
  }
  return frames;
}

/** A connection without a socket: what was written is there at once, and after the end nothing may be. */
export class BareConnection {
  ended = 0;
  readonly connection: UnaryConnection;
  #written: Buffer[] = [];
  #tasks: (() => void)[] = [];

  constructor({ method, largest = 100, isStale = false }: { method: UnaryMethod; largest?: number; isStale?: boolean }) {
    const output = new Output(
      (bytes) => {
        assert.equal(this.ended, 0, `written after the end: ${framesIn(bytes).map(told).join(', ')}`);
        this.#written.push(bytes);
      },
      (task) => this.#tasks.push(task),
    );
    const options = {
      output,
      end: () => void this.ended++,
      isStale: () => isStale,
      onOtherCall: () => undefined,
      begun: false,
      method,
      isOurs: (head: RequestHead) => head.path === PATH && isPlain(head),
      largest,
      concurrentStreams: 1,
      peer: '127.0.0.1:1',
      context: {},
      clock: () => 0,
    };
    this.connection = new UnaryConnection(options);
    this.receive(PREFACE, SETTINGS, ACKNOWLEDGED);
  }

  /** Gives it these in one piece, and says what was written. */
  receive(...frames: readonly Buffer[]): string[] {
    this.connection.receive(Buffer.concat(frames));
    return this.written();
  }

  written(): string[] {
    return this.frames().map(told);
  }

  frames(): RawFrame[] {
    for (const task of this.#tasks.splice(0)) task();
    return framesIn(Buffer.concat(this.#written.splice(0)));
  }
}
