import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** An HTTP server that tells what it saw: `{server, method, path, headers}`. What a request asks for in `x-answer` and `x-answer-headers` (JSON of response headers) is done. */
export interface Upstream {
  readonly name: string;
  readonly seen: Seen[];
  close(): Promise<void>;
}

function status(answer: string | undefined, earlier: number): number {
  // `fail-N`: 503 for the first N requests; a number: that status.
  const fails = /^fail-(\d+)$/.exec(answer ?? '')?.[1];
  if (fails !== undefined) return earlier < Number(fails) ? 503 : 200;
  return answer !== undefined && /^\d{3}$/.test(answer) ? Number(answer) : 200;
}

/** @param delayMs how long answers to paths that end in `/slow`, or ask for a `delay`, take */
export async function startUpstream(name: string, address: string, port: number, delayMs = 2_000): Promise<Upstream> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const given = headers['x-answer'];
    const code = status(typeof given === 'string' ? given : undefined, seen.filter((one) => one.path === url).length);
    seen.push({ method, path: url, headers });
    const answer = () => {
      const set = headers['x-answer-headers'];
      response.writeHead(code, {
        ...(typeof set === 'string' ? (JSON.parse(set) as Record<string, string>) : {}),
        'content-type': 'application/json',
      });
      response.end(JSON.stringify({ server: name, method, path: url, headers }));
    };
    if (/\/slow$|[?&]delay=/.test(url)) setTimeout(answer, delayMs).unref();
    else answer();
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(port, address);
  await once(server, 'listening');
  return {
    name,
    seen,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A port that is free on 127.0.0.1 now. */
export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return address.port;
}
