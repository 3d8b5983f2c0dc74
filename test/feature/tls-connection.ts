// One mutual TLS connection to a proxy that stays open, and requests on it one after another.
import { Agent, request } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class TlsConnection {
  readonly #agent: Agent;
  /** Local ports of the connections that were made: more than one where the first did not last. */
  readonly ports = new Set<number | undefined>();
  readonly #address: { readonly host: string; readonly port: number };

  constructor(host: string, port: number, certificate: { readonly cert: string; readonly key: string }) {
    this.#address = { host, port };
    this.#agent = new Agent({
      ...certificate,
      keepAlive: true,
      maxSockets: 1,
      rejectUnauthorized: false,
      ALPNProtocols: ['istio-http/1.1', 'istio'],
    });
  }

  /** Rejects when there is no connection. */
  get(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { ...this.#address, path: '/', headers: { host: 'server' }, agent: this.#agent, timeout: 5_000 },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          this.ports.add(response.socket.localPort);
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('timeout')));
      sent.on('error', reject);
      sent.end();
    });
  }

  /** `200`, `403` ..., or `refused` where no connection is made. */
  async status(): Promise<string> {
    try {
      return String((await this.get()).status);
    } catch {
      return 'refused';
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
