// A load client that costs little itself: HTTP/1.1 written and read by hand on connections kept open, and TCP connections of one echo each.
import { once } from 'node:events';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';

export interface Target {
  readonly port: number;
  readonly context: SecureContext;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
}

function open({ port, context }: Target): TLSSocket {
  return connectTls({ host: '127.0.0.1', port, secureContext: context, rejectUnauthorized: false, servername: 'app.example' });
}

function render({ method = 'GET', path }: Asked): Buffer {
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: app.example\r\n\r\n`);
}

/** Where the first answer of the text ends, or -1 while it is not whole. */
function endOfAnswer(text: string): number {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  const end = head + 4 + Number(length ?? 0);
  return text.length < end ? -1 : end;
}

/** Some connections to one listener, each with one request under way at a time. */
export class Connections {
  readonly #sockets: readonly TLSSocket[];

  private constructor(sockets: readonly TLSSocket[]) {
    this.#sockets = sockets;
  }

  static async open(target: Target, count: number): Promise<Connections> {
    const sockets = Array.from({ length: count }, () => open(target));
    await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')));
    for (const socket of sockets) socket.setNoDelay(true);
    return new Connections(sockets);
  }

  /** Sends so many requests and checks that all are answered with the status. */
  async run(asked: Asked, requests: number, status: number): Promise<void> {
    const bytes = render(asked);
    const wanted = `HTTP/1.1 ${status} `;
    let left = requests;
    await Promise.all(
      this.#sockets.map(
        (socket) =>
          new Promise<void>((resolve, reject) => {
            let text = '';
            const finish = (error?: Error): void => {
              socket.removeAllListeners('data');
              socket.removeAllListeners('close');
              if (error === undefined) resolve();
              else reject(error);
            };
            const next = (): void => {
              if (left === 0) return finish();
              left -= 1;
              socket.write(bytes);
            };
            socket.on('close', () => finish(new Error('the connection was closed')));
            socket.on('data', (chunk: Buffer) => {
              text += chunk.toString('latin1');
              const end = endOfAnswer(text);
              if (end < 0) return;
              if (!text.startsWith(wanted)) return finish(new Error(`asked for ${status}, got ${text.slice(0, 200)}`));
              text = text.slice(end);
              next();
            });
            next();
          }),
      ),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** One connection after the other, some at a time: a TLS handshake, one line, its echo (or none), the end. */
export async function connectAndEcho(target: Target, connections: number, atOnce: number, echoed: boolean): Promise<void> {
  let left = connections;
  const one = async (): Promise<void> => {
    const socket = open(target);
    socket.on('error', () => undefined);
    const ended = once(socket, 'close').then(() => false);
    socket.write('one line that comes back\n');
    const answered = await Promise.race([once(socket, 'data').then(() => true), ended]);
    if (answered !== echoed) throw new Error(echoed ? 'refused' : 'let in');
    socket.destroy();
  };
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    }),
  );
}
