import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { Socket } from 'node:net';

export interface LogReceiver {
  readonly port: number;
  /** What came, by the gRPC method that was called; protobuf as text that can be searched. */
  readonly received: readonly { readonly method: string; readonly text: string }[];
  close(): Promise<void>;
}

/** Takes access logs over gRPC: streams that stay open (Envoy's own service), and calls that are answered (OpenTelemetry's). */
export async function startLogReceiver(): Promise<LogReceiver> {
  const received: { readonly method: string; readonly text: string }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, { ':path': method = '' }) => {
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => received.push({ method, text: chunk.toString('latin1') }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => stream.end(Buffer.alloc(5)));
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return {
    port: address.port,
    received,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
