import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A server that says its name to whoever connects. */
export async function serve(port: number, host: string, name: string): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(name);
  });
  server.listen({ port, host });
  await once(server, 'listening');
  server.unref();
}

export async function serveDatagrams(port: number, host: string, name: string): Promise<void> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  socket.on('message', (_text, { port: back, address }) => socket.send(name, back, address));
  socket.bind(port, host);
  await once(socket, 'listening');
  socket.unref();
}

const LIMIT_MS = 2000;

/** Who answers at an address; `none` where nobody does. */
export function ask(host: string, port: number, localAddress?: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    let text = '';
    socket.setTimeout(LIMIT_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text === '' ? 'none' : text));
  });
}

export async function askDatagram(host: string, port: number): Promise<string> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  const answer = new Promise<string>((resolve) => {
    const timer = setTimeout(() => resolve('none'), LIMIT_MS);
    socket.once('message', (text) => {
      clearTimeout(timer);
      resolve(text.toString());
    });
  });
  socket.send('who?', port, host);
  const text = await answer;
  socket.close();
  return text;
}

if (process.argv[2] === 'ask') {
  const [, , , host = '', port = '0', localAddress] = process.argv;
  process.stdout.write(await ask(host, Number(port), localAddress));
}
