import { once } from 'node:events';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect as connectPlain, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Issued } from './certificates.ts';

export interface Identity {
  readonly issued: Issued;
  readonly root: string;
}

const tls = ({ issued, root }: Identity): { ca: string; cert: string; key: string; checkServerIdentity: () => undefined } => ({
  ca: root,
  cert: issued.cert,
  key: issued.key,
  // The server has a SPIFFE ID and no DNS name.
  checkServerIdentity: () => undefined,
});

/** The status of one request over a connection of its own; undefined when the connection broke. */
export function statusOf(
  port: number,
  path: string,
  options: { readonly as?: Identity; readonly headers?: Record<string, string> } = {},
): Promise<number | undefined> {
  const { as, headers = {} } = options;
  const target = { host: '127.0.0.1', port, path, headers: { host: 'app:9080', ...headers }, agent: false } as const;
  return new Promise((resolve) => {
    const sent = as ? tlsRequest({ ...target, ...tls(as) }) : plainRequest(target);
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

/** Opens a connection, sends a line, and waits until it is closed. */
export async function connection(port: number, as?: Identity, line = 'GET / HTTP/1.0\r\n\r\n'): Promise<void> {
  const socket: Socket = as ? connectTls({ host: '127.0.0.1', port, ...tls(as) }) : connectPlain({ host: '127.0.0.1', port });
  // Not once(): that rejects on the reset which a denial is.
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => undefined));
  socket.on('data', () => socket.end());
  socket.write(line);
  await closed;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  server.close();
  await once(server, 'close');
  if (at === null || typeof at === 'string') throw new Error('no port');
  return at.port;
}
