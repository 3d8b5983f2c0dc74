import { isIP } from 'node:net';
import type { Parsed } from '../../ca/identity/parsed.ts';

/** Where a server listens. Port 0 means any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Parses `HOST:PORT`, `[V6]:PORT` or `:PORT` (every address); hosts are IP addresses or `localhost`. */
export function parseListenAddress(text: string): Parsed<ListenAddress> {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    return { ok: false, reason: `${text} is no address (write HOST:PORT, such as 127.0.0.1:15012)` };
  const host = bracketed ?? (plain === '' ? '0.0.0.0' : plain === 'localhost' ? '127.0.0.1' : (plain ?? ''));
  if (isIP(host) === 0)
    return { ok: false, reason: `${host} is no IP address (a server listens on one of this machine's addresses)` };
  return { ok: true, value: { host, port } };
}

export function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}
