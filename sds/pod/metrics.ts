import { request } from 'node:http';
import type { ProbeTarget } from './probe.ts';

/** Where the application gives out its own metrics (`ISTIO_PROMETHEUS_ANNOTATIONS`). */
export interface Scrape {
  readonly port: number;
  readonly path: string;
}

const LARGEST = 16 * 1024 * 1024;
const LIMIT_MS = 5000;

/** What to scrape beside the proxy; nothing where the pod says so, or what cannot be meant. */
export function parseScrapes(text: string | undefined, ownPort: number): readonly Scrape[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '{}');
  } catch {
    return [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const { scrape, port, path, targets }: { scrape?: unknown; port?: unknown; path?: unknown; targets?: unknown } = value;
  if (scrape === 'false') return [];
  const list: readonly unknown[] = Array.isArray(targets) && targets.length > 0 ? targets : [{ port: port || '80', path }];
  return list.slice(0, 16).flatMap((one) => {
    if (typeof one !== 'object' || one === null) return [];
    const { port: given, path: at }: { port?: unknown; path?: unknown } = one;
    const number = Number(given);
    if (!Number.isInteger(number) || number < 1 || number > 65_535 || number === ownPort) return [];
    return [{ port: number, path: typeof at === 'string' && at.startsWith('/') ? at : '/metrics' }];
  });
}

/** The application's metrics; the empty text where there are none: the proxy's are to be had all the same. */
export function scrape(
  { port, path }: Scrape,
  { host, from }: ProbeTarget,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  return new Promise((resolve) => {
    const call = request({
      host,
      port,
      path,
      headers: { ...headers, connection: 'close' },
      agent: false,
      timeout: LIMIT_MS,
      ...(from === undefined ? {} : { localAddress: from }),
    });
    const timer = setTimeout(() => call.destroy(), LIMIT_MS);
    const done = (text: string): void => {
      clearTimeout(timer);
      resolve(text);
    };
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST) response.destroy();
        else chunks.push(chunk);
      });
      response.on('end', () => done(response.statusCode === 200 ? Buffer.concat(chunks).toString() : ''));
      response.on('error', () => done(''));
      response.on('close', () => done(''));
    });
    call.on('error', () => done(''));
    call.end();
  });
}
