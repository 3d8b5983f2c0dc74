import { type sendUnaryData, type Server, type ServerReadableStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AccessLogService as AccessLogProto } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { bytesRpc } from '../../ca/service/rpc.ts';
import type { Directory } from './directory.ts';
import { announcedInMessage, parseMessage, recordsOfMessage } from './message.ts';
import { reporterOf } from './reporter.ts';
import type { Sink } from './sink.ts';

export type AccessLogCall = ServerReadableStream<Buffer, Buffer>;

export interface AccessLogOptions {
  /** Who is at the other end, by its client certificate. Only authenticated proxies may report. */
  readonly authenticate: (call: AccessLogCall) => Parsed<SpiffeId>;
  /** Asked anew for each message, so that answers follow the current snapshot. */
  readonly directory: Directory;
  readonly sink: Sink;
  readonly log: Logger;
  readonly clock: () => Date;
}

export interface AccessLogService {
  /** Authenticates every stream once more, and ends those that would be refused now. */
  reauthenticate(): void;
}

/** Reads a stream to its end, one message at a time: while the sink has no room, nothing more is read and HTTP/2 stops the proxy. */
async function consume(call: AccessLogCall, principal: SpiffeId, options: AccessLogOptions): Promise<string | undefined> {
  const { directory, sink, clock } = options;
  let identifier: { readonly nodeId: string; readonly logName: string } | undefined;
  for await (const buffer of call as AsyncIterable<Buffer>) {
    const message = parseMessage(buffer);
    if (!message) {
      sink.lose('malformed', 1);
      options.log.warn({ principal }, 'an access-log message could not be parsed; its records are lost');
      continue;
    }
    if (message.identifier) ({ identifier } = message);
    if (!identifier) return 'the first message must have an identifier';
    const reporter = reporterOf(principal, identifier.nodeId, identifier.logName, directory);
    if (!reporter.ok) return reporter.reason;
    sink.announced?.(announcedInMessage(message, reporter.value, directory, clock()));
    await sink.accept(recordsOfMessage(message, reporter.value, directory, clock()));
  }
  return undefined;
}

/** Serves envoy.service.accesslog.v3.AccessLogService on a gRPC server. */
export function addAccessLogService(server: Server, options: AccessLogOptions): AccessLogService {
  const { authenticate, log } = options;
  const streams = new Map<AccessLogCall, (reason: string) => void>();
  server.addService(
    { streamAccessLogs: bytesRpc(AccessLogProto.method.streamAccessLogs) },
    {
      streamAccessLogs(call: AccessLogCall, callback: sendUnaryData<Buffer>): void {
        const caller = authenticate(call);
        if (!caller.ok) {
          log.warn({ peer: call.getPeer(), reason: caller.reason }, 'access-log stream refused');
          callback({ code: status.UNAUTHENTICATED, details: caller.reason });
          return;
        }
        streams.set(call, (reason) => {
          log.warn({ principal: caller.value, reason }, 'access-log stream ended');
          callback({ code: status.UNAUTHENTICATED, details: reason });
          call.destroy();
        });
        consume(call, caller.value, options)
          .then(
            (refusal) => {
              if (refusal === undefined) return callback(null, Buffer.alloc(0));
              log.warn({ principal: caller.value, reason: refusal }, 'access-log stream refused');
              return callback({ code: status.INVALID_ARGUMENT, details: refusal });
            },
            // The proxy went away, which is how these streams usually end.
            (error: unknown) => log.debug({ principal: caller.value, error }, 'access-log stream ended'),
          )
          .finally(() => streams.delete(call));
      },
    },
  );
  return {
    reauthenticate() {
      for (const [call, end] of streams) {
        const caller = authenticate(call);
        if (!caller.ok) end(caller.reason);
      }
    },
  };
}
