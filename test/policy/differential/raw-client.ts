import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Sent } from './requests.ts';

/** A caller: what it shows (`anonymous`: TLS without a certificate; undefined: plain text) and the address it calls from. */
export interface Shown {
  readonly context: SecureContext | undefined;
  readonly serverName: string | undefined;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** The address to call from. */
  readonly from: string;
}

/** One response, or that the connection ended without it. */
export type Response =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: ReadonlyMap<string, string> }
  | { readonly kind: 'closed' };

const CLOSED: Response = Object.freeze({ kind: 'closed' });
const TIMEOUT_MS = 20_000;

/** As a proxy of the mesh offers them; a permissive server takes only such TLS for the mesh's own. */
const OFFERED = ['istio', 'http/1.1'];

export function open(shown: Shown, { host, port, from }: Target): Socket {
  const plain = connectPlain({ host, port, localAddress: from });
  const { context, serverName } = shown;
  const socket =
    context === undefined
      ? plain
      : connectTls({
          socket: plain,
          secureContext: context,
          rejectUnauthorized: false,
          ALPNProtocols: OFFERED,
          ...(serverName === undefined ? {} : { servername: serverName }),
        });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer in time from ${host}:${port}`)));
  return socket;
}

function written({ method, target, host, headers }: Sent): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`;
}

interface Parsed {
  readonly response: Response;
  readonly end: number;
}

/** One response at the beginning of these bytes; undefined when it is not all there. */
function parse(text: string, method: string): Parsed | undefined {
  const blank = text.indexOf('\r\n\r\n');
  if (blank < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, blank).split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const status = Number(first.split(' ')[1]);
  if (headers.has('transfer-encoding') && method !== 'HEAD') throw new Error('a response without a length');
  const length = method === 'HEAD' ? 0 : Number(headers.get('content-length') ?? 0);
  const end = blank + 4 + length;
  return end > text.length ? undefined : { response: { kind: 'answered', status, headers }, end };
}

function isReset(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return ['ECONNRESET', 'EPIPE'].includes(error.code) || error.code.startsWith('ERR_SSL_');
}

/**
 * Sends requests over one connection, byte for byte, and reads the answers. A connection that ends leaves those that are
 * not answered `closed`.
 */
export async function sendAll(shown: Shown, target: Target, all: readonly Sent[]): Promise<readonly Response[]> {
  const socket = open(shown, target);
  const answers: Response[] = [];
  let pending = '';
  // One after the other: Envoy closes a connection on which it refuses requests that were sent at once.
  const ask = (): void => {
    const next = all[answers.length];
    if (next !== undefined) socket.write(Buffer.from(written(next), 'latin1'));
  };
  const done = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      pending += chunk.toString('latin1');
      try {
        const parsed = parse(pending, all[answers.length]?.method ?? '');
        if (parsed === undefined) return;
        answers.push(parsed.response);
        pending = pending.slice(parsed.end);
      } catch (error) {
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (answers.length === all.length) resolve();
      else ask();
    });
    socket.on('end', resolve);
    socket.on('close', () => resolve());
    socket.on('error', (error) => (isReset(error) ? resolve() : reject(error)));
  });
  ask();
  try {
    await done;
  } finally {
    socket.destroy();
  }
  return all.map((_, index) => answers[index] ?? CLOSED);
}

/** Whether an echo server behind a listener answers. */
export async function echoes(shown: Shown, target: Target): Promise<boolean> {
  const socket = open(shown, target);
  // Long enough for Envoy to see that it is no TLS.
  socket.write('one line, which an echo server sends back\n');
  try {
    const answered = once(socket, 'data').then(() => true);
    const ended = once(socket, 'end').then(() => false);
    answered.catch(() => undefined);
    ended.catch(() => undefined);
    return await Promise.race([answered, ended]);
  } catch (error) {
    if (isReset(error)) return false;
    throw error;
  } finally {
    socket.destroy();
  }
}
