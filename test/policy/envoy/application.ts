import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Issued } from '../../audit/envoy/certificates.ts';

/** What an application got, as it tells in its answer. */
export interface Reached {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** The header by which an answer is known to be the application's own. */
export const REACHED = 'x-reached';

export interface ApplicationPort {
  readonly port: number;
  /** As in scenarios: HTTP, HTTP2, GRPC, TCP, or HTTPS, which the application ends by itself. */
  readonly protocol: string;
}

function tell(method: string, path: string, headers: IncomingHttpHeaders): string {
  return JSON.stringify({ method, path, headers } satisfies Reached);
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { [REACHED]: 'yes', 'content-type': 'application/json' });
  response.end(tell(request.method ?? '', request.url ?? '', request.headers));
}

function http(): Server {
  const server = createHttpServer(answer);
  // A web socket that sends back what it gets.
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${REACHED}: yes\r\n\r\n`);
    socket.pipe(socket);
  });
  return server;
}

/** HTTP/2 without TLS; what asks for gRPC is answered as gRPC does, with a status in the trailers. */
function http2(): Server {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    stream.resume();
    if (headers['content-type'] === 'application/grpc') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', [REACHED]: 'yes' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end();
      return;
    }
    stream.respond({ ':status': 200, [REACHED]: 'yes', 'content-type': 'application/json' });
    stream.end(tell(headers[':method'] ?? '', headers[':path'] ?? '', headers));
  });
  return server;
}

function serverFor(protocol: string, certificate: Issued | undefined): Server {
  if (protocol === 'HTTPS') return createHttpsServer({ ...certificate }, answer);
  if (protocol === 'TCP') return createTcpServer((socket) => socket.pipe(socket));
  return protocol === 'GRPC' || protocol === 'HTTP2' ? http2() : http();
}

/** An application that answers everybody; whoever it does not hear from was stopped by its proxy. */
export async function startApplication(
  address: string,
  ports: readonly ApplicationPort[],
  certificate?: Issued,
): Promise<() => Promise<void>> {
  const running = await Promise.all(
    ports.map(async ({ port, protocol }) => {
      const server = serverFor(protocol, certificate);
      const open = new Set<Socket>();
      server.on('connection', (socket) => {
        open.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => open.delete(socket));
      });
      server.listen(port, address);
      await once(server, 'listening');
      return async () => {
        for (const socket of open) socket.destroy();
        server.close();
        await once(server, 'close');
      };
    }),
  );
  return async () => {
    await Promise.all(running.map((stop) => stop()));
  };
}
