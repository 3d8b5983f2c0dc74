import { isIP } from 'node:net';

export interface NameServer {
  readonly host: string;
  readonly port: number;
}

const MOST = 3;

/** The name servers of a resolv.conf (resolv.conf(5)): at most three count. */
export function nameServers(text: string): readonly NameServer[] {
  return text
    .split('\n')
    .flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
    .filter((host) => isIP(host.split('%')[0] ?? '') !== 0)
    .slice(0, MOST)
    .map((host) => ({ host, port: 53 }));
}
