import { isIP } from 'node:net';

/** Addresses, localhost and the names that are ours. */
export function knownHost(host: string | undefined, names: readonly string[]): boolean {
  const name = (host ?? '').toLowerCase().replace(/:\d{1,5}$/, '');
  return name === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) > 0 || names.includes(name);
}
