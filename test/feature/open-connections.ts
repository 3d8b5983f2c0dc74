// Connections of each kind that a test keeps open to one proxy, and questions over them.
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';

export interface Own {
  readonly cert: string;
  readonly key: string;
}

const WAIT_MS = 5_000;

async function secure(host: string, port: number, own: Own, protocol: string): Promise<TLSSocket> {
  const socket = connect({ ...own, host, port, rejectUnauthorized: false, ALPNProtocols: [protocol] });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** What comes back for a line: the line, or that the connection ended. */
async function said(socket: TLSSocket, line: string): Promise<string> {
  if (socket.destroyed || socket.readableEnded) return 'closed';
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(WAIT_MS)]);
  socket.write(line);
  const answer = once(socket, 'data', { signal }).then(([chunk]: unknown[]) => String(chunk));
  const ended = once(socket, 'close', { signal }).then(() => 'closed');
  const first = await Promise.race([answer, ended]).catch(() => 'closed');
  done.abort();
  await Promise.allSettled([answer, ended]);
  return first;
}

/** A TCP connection to something that says back what it hears. */
export class TcpConnection {
  readonly #socket: TLSSocket;
  private constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  static async open(host: string, port: number, own: Own): Promise<TcpConnection> {
    return new TcpConnection(await secure(host, port, own, 'istio'));
  }

  async works(): Promise<boolean> {
    return (await said(this.#socket, 'one line\n')) === 'one line\n';
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A WebSocket, or what was answered in place of one. */
export class WebSocketConnection {
  readonly status: number;
  readonly #socket: TLSSocket;
  private constructor(socket: TLSSocket, status: number) {
    this.#socket = socket;
    this.status = status;
  }

  static async open(host: string, port: number, own: Own): Promise<WebSocketConnection> {
    const socket = await secure(host, port, own, 'http/1.1');
    const head = await said(
      socket,
      'GET /socket HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    return new WebSocketConnection(socket, Number(head.split(' ')[1]));
  }

  async works(): Promise<boolean> {
    return (await said(this.#socket, 'a frame')) === 'a frame';
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** An HTTP/2 connection. */
export class Http2Connection {
  readonly #session: ClientHttp2Session;
  /** The proxy asked for no further requests on it. */
  goneAway = false;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on('goaway', () => (this.goneAway = true));
    session.on('error', () => undefined);
  }

  static async open(host: string, port: number, own: Own): Promise<Http2Connection> {
    const socket = await secure(host, port, own, 'h2');
    return new Http2Connection(connectHttp2(`https://${host}:${port}`, { createConnection: () => socket }));
  }

  /** The status of the next request, or `closed`. */
  status(): Promise<string> {
    return new Promise((resolve) => {
      if (this.#session.closed || this.#session.destroyed) return resolve('closed');
      const stream = this.#session.request({ ':path': '/', ':authority': 'server' });
      stream.setTimeout(WAIT_MS, () => resolve('closed'));
      stream.on('error', () => resolve('closed'));
      stream.on('response', (headers) => {
        stream.resume();
        resolve(String(headers[':status']));
      });
      stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}
