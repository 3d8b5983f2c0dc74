// What both ends of the cable in captured-pod.ts do: serve HTTP and TCP under a name, and ask.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { call } from './call.ts';

export interface Question {
  readonly kind: 'http' | 'tcp';
  readonly address: string;
  readonly port: number;
  /** The Host of a request; else the address. */
  readonly host?: string;
}

/** HTTP and TCP servers that tell their name, and of an HTTP request who the proxy in front says has called. */
export async function startServers(
  name: string,
  address: string,
  ports: { readonly http: number; readonly tcp: number },
): Promise<{ close(): void }> {
  const http = createServer(({ headers }, response) => response.end(JSON.stringify({ server: name, headers })));
  const tcp = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(name));
  });
  http.listen(ports.http, address);
  tcp.listen(ports.tcp, address);
  await Promise.all([once(http, 'listening'), once(tcp, 'listening')]);
  return {
    close: () => {
      http.closeAllConnections();
      http.close();
      tcp.close();
    },
  };
}

async function overTcp(address: string, port: number): Promise<string> {
  const socket = connect(port, address);
  socket.on('error', () => socket.destroy());
  socket.write('hello');
  const first = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['closed'])]);
  socket.destroy();
  return String(first[0]);
}

/** The name of who answered, with the status if it is another than 200 and the caller's identity if there is one; `closed` for no answer. */
export async function asked({ kind, address, port, host }: Question): Promise<string> {
  if (kind === 'tcp') return overTcp(address, port).catch(() => 'closed');
  const name = host ?? (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
  try {
    const { status, server, seen } = await call(undefined, address, port, name, '/');
    const caller = /URI=([^;,]+)/.exec(String(seen['x-forwarded-client-cert']))?.[1];
    return [server ?? 'proxy', ...(status === 200 ? [] : [String(status)]), ...(caller === undefined ? [] : [caller])].join(' ');
  } catch {
    return 'closed';
  }
}
