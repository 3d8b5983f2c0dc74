import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { adminSocketPath } from './admin-socket.ts';

export type AdminAnswer =
  /** What the control plane said: 2xx is done, 4xx is its refusal with `error` in the body. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  /** Nobody listens: the control plane does not run, or with another folder. */
  | { readonly kind: 'away'; readonly reason: string };

const LONGEST_MS = 60_000;

/** Gives an order to the control plane that runs on an authority's folder. */
export function askControlPlane(caDir: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<AdminAnswer> {
  const socketPath = adminSocketPath(caDir);
  const away = (why: string): AdminAnswer => ({
    kind: 'away',
    reason: `no control plane runs on ${caDir} (${why}); start gatehouse serve with --ca-dir ${caDir}`,
  });
  if (!existsSync(socketPath)) return Promise.resolve(away(`${socketPath} is not there`));
  return new Promise((resolve) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ socketPath, path, method, headers, timeout: LONGEST_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => resolve(away(error.message)));
      response.on('end', () => {
        try {
          const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
          resolve({ kind: 'answer', status: response.statusCode ?? 0, body: value });
        } catch {
          resolve(away('its answer cannot be read'));
        }
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${String(LONGEST_MS / 1000)} s`)));
    sent.on('error', (error) => resolve(away(error.message)));
    sent.end(text);
  });
}

/** The `error` of a refusal, or all of it where there is none. */
export function refusalText(body: unknown): string {
  return typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'string'
    ? body.error
    : JSON.stringify(body);
}
