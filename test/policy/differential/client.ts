import { once } from 'node:events';
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { type Socket, connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Issued } from '../../audit/envoy/certificates.ts';
import type { Sent } from './arbitrary.ts';

export interface Answer {
  readonly decision: 'ALLOW' | 'DENY' | 'ERROR';
  /** The rule that decided, as Envoy names it; empty when none did. */
  readonly rule: string;
}

/** A caller: the certificate it shows (`anonymous`: none, over TLS; undefined: plain text) and the address it calls from. */
export interface Caller {
  readonly certificate: Issued | 'anonymous' | undefined;
  readonly address: string;
}

const SERVER_NAME = 'app.example';

function tlsOptions(certificate: Issued | 'anonymous'): object {
  const shown = certificate === 'anonymous' ? {} : { cert: certificate.cert, key: certificate.key };
  return { ...shown, rejectUnauthorized: false, servername: SERVER_NAME };
}

function named(text: string): string {
  return /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(text)?.[1] ?? `? ${text}`;
}

/** One kept-alive connection of one caller to one listener. */
export class HttpClient {
  readonly #caller: Caller;
  readonly #to: { readonly host: string; readonly port: number };
  readonly #agent: PlainAgent | TlsAgent;

  constructor(caller: Caller, to: { readonly host: string; readonly port: number }) {
    this.#caller = caller;
    this.#to = to;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = caller.certificate === undefined ? new PlainAgent(options) : new TlsAgent(options);
  }

  /** Sends the path as it is; a connection that ends without an answer is a denial. */
  send(sent: Sent): Promise<Answer> {
    const { certificate, address } = this.#caller;
    const { method, path } = sent;
    const headers = {
      host: sent.host,
      ...(sent.role === undefined ? {} : { 'x-role': [...sent.role] }),
      ...(sent.forwardedFor === undefined ? {} : { 'x-forwarded-for': sent.forwardedFor }),
    };
    const common = { ...this.#to, method, path, headers, localAddress: address, agent: this.#agent, timeout: 10_000 };
    return new Promise((resolve, reject) => {
      const call = certificate === undefined ? plainRequest(common) : tlsRequest({ ...common, ...tlsOptions(certificate) });
      call.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET') resolve({ decision: 'DENY', rule: '' });
        else reject(error);
      });
      call.on('timeout', () => call.destroy(new Error('no answer in time')));
      call.on('response', (response) => {
        response.resume();
        const { statusCode, headers: found } = response;
        const text = (name: string): string => String(found[name] ?? '');
        response.on('end', () => {
          if (statusCode === 200) resolve({ decision: 'ALLOW', rule: text('x-rule') });
          else if (statusCode === 403) resolve({ decision: 'DENY', rule: named(text('x-details')) });
          else resolve({ decision: 'ERROR', rule: `${statusCode} ${text('x-details')}` });
        });
      });
      call.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Whether an echo server behind a listener answers. */
export async function callTcp(caller: Caller, to: { readonly host: string; readonly port: number }): Promise<'ALLOW' | 'DENY'> {
  const plain = connectPlain({ ...to, localAddress: caller.address });
  const { certificate } = caller;
  const socket: Socket = certificate === undefined ? plain : connectTls({ socket: plain, ...tlsOptions(certificate) });
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer in time')));
  // Long enough for Envoy to see that it is no TLS.
  socket.write('one line, which an echo server sends back\n');
  try {
    const answered = once(socket, 'data').then(() => 'ALLOW' as const);
    const ended = once(socket, 'end').then(() => 'DENY' as const);
    answered.catch(() => undefined);
    ended.catch(() => undefined);
    return await Promise.race([answered, ended]);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return 'DENY';
    throw error;
  } finally {
    socket.destroy();
    plain.destroy();
  }
}
