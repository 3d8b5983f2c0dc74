import { networkInterfaces } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { DnsWish } from '../../sds/dns/proxy.ts';
import type { NameServer } from '../../sds/dns/resolv-conf.ts';
import { DNS_PORT, isDnsCaptured } from '../capture/dns.ts';

export interface DnsFlags {
  readonly dnsPort?: number;
  readonly dnsServer?: readonly NameServer[];
  readonly pod?: 'sidecar' | 'router';
}

/** Whether and where the agent answers DNS: where it is told to, and in pods whose DNS is led there. */
export function dnsWish(
  { dnsPort, dnsServer, pod }: DnsFlags,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): DnsWish | undefined {
  const port = dnsPort ?? (pod === 'sidecar' && isDnsCaptured(environment) ? DNS_PORT : undefined);
  if (port === undefined) return undefined;
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  // What iptables leads to this machine arrives at the loopback address of its family.
  const hosts = ['127.0.0.1', ...(own.includes('::1') ? ['::1'] : [])];
  return { hosts, port, resolvConf: '/etc/resolv.conf', servers: dnsServer };
}

/** `ADDRESS` or `ADDRESS:PORT`, IPv6 in brackets. */
export function nameServer(text: string, before: readonly NameServer[] = []): readonly NameServer[] {
  const [, six, four, port = '53'] = /^(?:\[([\da-fA-F:.]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = six ?? four;
  if (host === undefined || Number(port) > 65_535) throw new InvalidArgumentError('it is no ADDRESS:PORT.');
  return [...before, { host, port: Number(port) }];
}
