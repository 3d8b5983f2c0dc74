import type { IncomingHttpHeaders } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import { answerUnary, isPlain, type UnaryMethod } from './http2-call.ts';
import { interceptStreams } from './server-streams.ts';

function isHeaders(value: unknown): value is IncomingHttpHeaders {
  return typeof value === 'object' && value !== null && ':path' in value;
}

/**
 * Answers the plain calls of one unary method before grpc-js makes call objects of them, which cost more CPU than TLS and HTTP/2
 * together. grpc-js has no place for that, so its handler of streams is wrapped; where there is none (another version), or where
 * channelz has to see each call, nothing is taken and everything works as before, slower. To be called before the server listens.
 * @returns whether calls will be taken
 */
export function takeUnary(server: Server, path: string, method: UnaryMethod, largest: number): boolean {
  return interceptStreams(server, (stream, headers, next) => {
    if (!isHeaders(headers) || headers[':path'] !== path || !isPlain(headers)) return next();
    answerUnary(stream, headers, method, largest);
    return undefined;
  });
}
