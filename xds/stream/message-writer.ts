import { Duplex } from 'node:stream';
import type { ServerHttp2Stream } from 'node:http2';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Encoded } from './wire.ts';

/** Gives one message to the peer; `taken` is called when HTTP/2 has taken all of it. */
export type WriteMessage = (message: Encoded, taken: () => void) => void;

const PREFIX = 5;
/** From here on a system call for several buffers costs less than a copy into one. */
const TOGETHER = 16 * 1024;

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return value instanceof Duplex && 'respond' in value && 'sendTrailers' in value && 'session' in value;
}

/** The HTTP/2 stream under a call, which grpc-js keeps to itself; undefined in a version that has it elsewhere. */
function streamUnder(call: ServerDuplexStream<Buffer, Buffer>): ServerHttp2Stream | undefined {
  const inner: unknown = Reflect.get(call, 'call');
  const stream: unknown = typeof inner === 'object' && inner !== null ? Reflect.get(inner, 'stream') : undefined;
  return isHttp2Stream(stream) ? stream : undefined;
}

/** A message's prefix: not compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
function prefix(byteLength: number): Buffer {
  const bytes = Buffer.alloc(PREFIX);
  bytes.writeUInt32BE(byteLength, 1);
  return bytes;
}

/**
 * Writes messages to the HTTP/2 stream of a call, buffers by reference: grpc-js would copy each message once more, for each stream. Metadata
 * must have been sent. Everything else of the call (requests, status, flow control of reading) stays with grpc-js.
 */
export function messageWriter(call: ServerDuplexStream<Buffer, Buffer>): WriteMessage {
  const stream = streamUnder(call);
  if (stream === undefined) return ({ chunks }, taken) => void call.write(Buffer.concat(chunks), () => taken());
  return ({ chunks, byteLength }, taken) => {
    // Who is gone takes nothing any more; the call says so itself.
    if (stream.destroyed || stream.writableEnded) return;
    const done = (error?: Error | null): void => {
      if (error === undefined || error === null) taken();
    };
    const all = [prefix(byteLength), ...chunks];
    if (byteLength < TOGETHER) {
      stream.write(Buffer.concat(all, PREFIX + byteLength), done);
      return;
    }
    stream.cork();
    for (const [at, chunk] of all.entries()) {
      if (at < all.length - 1) stream.write(chunk);
      else stream.write(chunk, done);
    }
    stream.uncork();
  };
}
