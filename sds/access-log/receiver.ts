import { fromBinary } from '@bufbuild/protobuf';
import { type sendUnaryData, type Server, type ServerReadableStream, status } from '@grpc/grpc-js';
import { AccessLogService, StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { bytesRpc } from '../grpc.ts';

type Push = (nodeId: string, logName: string, message: Buffer) => void;

/** Who sends: told in the first message of a stream only. */
function identifierOf(message: Buffer): readonly [nodeId: string, logName: string] | undefined {
  try {
    const { identifier } = fromBinary(StreamAccessLogsMessageSchema, message);
    return identifier && [identifier.node?.id ?? '', identifier.logName];
  } catch {
    return undefined;
  }
}

/**
 * Serves envoy.service.accesslog.v3.AccessLogService to the Envoy beside the agent. Always reads on: Envoy throws away what it cannot send, so
 * whatever there is no room for is better counted here.
 */
export function addLogReceiver(server: Server, push: Push): void {
  server.addService(
    { streamAccessLogs: bytesRpc(AccessLogService.method.streamAccessLogs) },
    {
      streamAccessLogs(call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
        let from: readonly [nodeId: string, logName: string] | undefined;
        call.on('data', (message: Buffer) => {
          from ??= identifierOf(message);
          if (from !== undefined) push(...from, message);
          else if (!call.destroyed) {
            callback({ code: status.INVALID_ARGUMENT, details: 'the first message must have an identifier' });
            call.destroy();
          }
        });
        call.on('end', () => callback(null, Buffer.alloc(0)));
        // Envoy went away.
        call.on('error', () => {});
      },
    },
  );
}
