import { createServer } from 'node:http2';
import { listening } from '../envoy/listening.ts';

export interface LogReceiver {
  readonly port: number;
  /** What came, by the gRPC method that was called; protobuf as text that can be searched. */
  readonly received: readonly { readonly method: string; readonly text: string }[];
  close(): Promise<void>;
}

/** Takes access logs over gRPC: streams that stay open (Envoy's own service), and calls that are answered (OpenTelemetry's). */
export async function startLogReceiver(): Promise<LogReceiver> {
  const received: { readonly method: string; readonly text: string }[] = [];
  const server = createServer();
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, { ':path': method = '' }) => {
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => received.push({ method, text: chunk.toString('latin1') }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => stream.end(Buffer.alloc(5)));
  });
  return { ...(await listening(server)), received };
}
