/** Frame types (RFC 9113, section 6). */
export const FRAME = Object.freeze({
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
});

/** Flags of frames; what each means depends on the type (RFC 9113, section 6). */
export const FLAG = Object.freeze({ endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 });

/** Error codes (RFC 9113, section 7). */
export const ERROR = Object.freeze({
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  streamClosed: 0x5,
  frameSize: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compression: 0x9,
  enhanceYourCalm: 0xb,
});

export type ErrorCode = (typeof ERROR)[keyof typeof ERROR];

/** The client's first bytes (RFC 9113, section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Bytes before a payload. */
export const HEADER = 9;

/** Bytes of a payload at most, in both directions: what everyone must take, and no more was asked for (RFC 9113, section 4.2). */
export const LARGEST_PAYLOAD = 16_384;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0 is the connection. */
  readonly stream: number;
  readonly payload: Buffer;
}

/** Writes a frame's header at the start of a payload that is laid out behind it. */
export function writeHeader(into: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  into.writeUIntBE(length, at, 3);
  into[at + 3] = type;
  into[at + 4] = flags;
  into.writeUInt32BE(stream, at + 5);
}

const NOTHING = Buffer.alloc(0);

/** A frame as bytes. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = NOTHING): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + payload.length);
  writeHeader(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, HEADER);
  return bytes;
}

/** A frame whose payload is one number of 32 bits. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + 4);
  writeHeader(bytes, 0, 4, type, 0, stream);
  bytes.writeUInt32BE(value, HEADER);
  return bytes;
}
