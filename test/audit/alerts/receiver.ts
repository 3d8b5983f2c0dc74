import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:https';
import type { Issued } from '../envoy/certificates.ts';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What to answer: a status with headers, or nothing at all. */
export type Reaction = { readonly status: number; readonly headers?: Record<string, string> } | 'silence';

/** A real HTTPS receiver of webhooks. */
export class Receiver {
  readonly received: Received[] = [];
  readonly #server;
  react: (to: Received) => Reaction = () => ({ status: 204 });

  private constructor({ cert, key }: Issued) {
    this.#server = createServer({ cert, key }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const message = { method, path: url, headers, body: Buffer.concat(chunks).toString() };
        this.received.push(message);
        const reaction = this.react(message);
        if (reaction !== 'silence') response.writeHead(reaction.status, reaction.headers).end('thanks\n');
      });
    });
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('clientError', (_, socket) => socket.destroy());
  }

  /** @param port 0 for any; another to come back where it was */
  static async start(certificate: Issued, port = 0): Promise<Receiver> {
    const receiver = new Receiver(certificate);
    receiver.#server.listen(port, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    return address.port;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
