import { PREFIX } from '../framed.ts';
import type { ReceiveWindow } from './receive-window.ts';
import type { RequestHead } from './request-head.ts';

/** One call: a stream on which a message comes and an answer goes. */
export interface Stream {
  readonly id: number;
  readonly head: RequestHead;
  /** When the caller stops waiting, in milliseconds of the connection's clock. */
  readonly deadline: number;
  /** What came of the body, and room for more. */
  body: Buffer;
  /** Bytes of the body. */
  length: number;
  readonly receiveWindow: ReceiveWindow;
  /** Bytes that may be sent. */
  sendWindow: number;
  /** Whether the client has said everything. */
  ended: boolean;
  /** Whether the method has the message, and has not answered yet. */
  atWork: boolean;
  /** Whether nothing may be sent any more. */
  closed: boolean;
  /** To be told that the caller gave up. */
  onGivingUp: (() => void) | undefined;
}

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = Object.freeze({ H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 });

/** Whether a call is a plain one: what is compressed or malformed is left to grpc-js. */
export function isPlain({ method, contentType, encoding, timeout }: RequestHead): boolean {
  return (
    method === 'POST' &&
    contentType?.startsWith('application/grpc') === true &&
    (encoding === undefined || encoding === 'identity') &&
    (timeout === undefined || TIMEOUT.test(timeout))
  );
}

/** Milliseconds after which the caller waits no longer ("gRPC over HTTP2", Timeout). */
export function timeoutMs({ timeout }: RequestHead): number {
  const [, amount, unit] = (timeout === undefined ? undefined : TIMEOUT.exec(timeout)) ?? [];
  return unit === undefined ? Infinity : Number(amount) * (UNIT_MS[unit] ?? Infinity);
}

/** The bytes of the body so far. */
export function bodyOf({ body, length }: Stream): Buffer {
  return body.subarray(0, length);
}

export const NOTHING = Buffer.alloc(0);

/**
 * Adds to the body. A part that is not the whole is copied: kept as it is, it would keep everything it came with, and a message in single bytes
 * would be a hundred times its size.
 */
export function takePart(stream: Stream, part: Buffer, last: boolean): void {
  const length = stream.length + part.length;
  if (last && stream.length === 0) stream.body = part;
  else {
    if (length > stream.body.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * stream.length));
      stream.body.copy(larger, 0, 0, stream.length);
      stream.body = larger;
    }
    part.copy(stream.body, stream.length);
  }
  stream.length = length;
}

/** The one uncompressed message that a body must be. */
export function soleMessage(body: Buffer): Buffer | undefined {
  const plain = body.length >= PREFIX && body[0] === 0 && body.readUInt32BE(1) === body.length - PREFIX;
  return plain ? body.subarray(PREFIX) : undefined;
}
