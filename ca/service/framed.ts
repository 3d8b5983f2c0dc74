/** Bytes before a message: whether it is compressed, and its length ("gRPC over HTTP2", Length-Prefixed-Message). */
export const PREFIX = 5;

/** An uncompressed message with its prefix, for those who write to HTTP/2 streams. */
export interface FramedMessage {
  readonly bytes: Buffer;
}

/** One whose message is still to be filled in, from `PREFIX` on. */
export function framedMessage(length: number): FramedMessage {
  const bytes = Buffer.allocUnsafe(PREFIX + length);
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return { bytes };
}

/** The message alone, for grpc-js, which adds the prefix itself. */
export function messageOf({ bytes }: FramedMessage): Buffer {
  return bytes.subarray(PREFIX);
}
