import { Duplex } from 'node:stream';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** What every stream of a grpc-js server goes through. Private there, as it has no place for this. */
const HANDLER = '_streamHandler';

/** What is done with a stream; `next` hands it on to grpc-js. */
export type TakeStream = (stream: ServerHttp2Stream, headers: unknown, next: () => unknown) => unknown;

function isServerStream(value: unknown): value is ServerHttp2Stream {
  return value instanceof Duplex && 'respond' in value && 'sendTrailers' in value && 'session' in value;
}

/**
 * Has each new HTTP/2 stream of a server pass through `take` before grpc-js sees it. To be called before the server listens.
 * @returns false where grpc-js (another version, or with channelz) has no such handler: then nothing passes
 */
export function interceptStreams(server: Server, take: TakeStream): boolean {
  const handler: unknown = Reflect.get(server, HANDLER);
  if (typeof handler !== 'function') return false;
  return Reflect.set(server, HANDLER, (...args: readonly unknown[]): unknown => {
    const next = (): unknown => Reflect.apply(handler, server, args);
    const [, stream, headers] = args;
    return isServerStream(stream) ? take(stream, headers, next) : next();
  });
}
