import { BlockList, isIP } from 'node:net';
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

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** 127.0.0.0/8 (RFC 1122, section 3.2.1.3) or ::1 (RFC 4291, section 2.5.3). */
export function isLoopbackIp(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && LOOPBACK.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Only this machine can reach it. */
export function isLoopback({ host }: ListenAddress): boolean {
  return isLoopbackIp(host);
}
