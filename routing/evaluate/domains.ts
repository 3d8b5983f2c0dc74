import type { Hostname } from '../../mesh/model/hostname.ts';
import type { Service } from '../../mesh/model/service.ts';

/** Names of a host from a namespace, as the DNS search path of its pods has them. */
export function namesOf(host: Hostname, namespace: string | undefined, clusterDomain: string): readonly string[] {
  if (host.startsWith('*')) return [host];
  const parts = new RegExp(`^(.+)\\.([^.]+)\\.svc\\.${clusterDomain.replaceAll('.', '\\.')}$`).exec(host);
  const [, name, home] = parts ?? [];
  if (name === undefined || home === undefined) return [host, `${host}.`];
  return [host, `${host}.`, `${name}.${home}.svc`, `${name}.${home}`, ...(home === namespace ? [name] : [])];
}

/** Those of a service: its addresses, and for a headless one its pods' names as well. */
export function serviceNamesOf(service: Service, namespace: string, clusterDomain: string): readonly string[] {
  const { hostname, aliases, addresses, external, resolution } = service;
  const names = [hostname, ...(aliases ?? [])].flatMap((name) => namesOf(name, namespace, clusterDomain));
  const headless = addresses.length === 0 && !external && resolution === 'endpoints' && !hostname.startsWith('*');
  const single = addresses.filter((one) => !one.includes('/')).map((one) => (one.includes(':') ? `[${one}]` : one));
  return [...names, ...(headless ? names.map((name) => `*.${name}`) : []), ...single];
}

/** A thing under the domains it answers to; of two under one domain the earlier has it. */
export interface Claim<T> {
  readonly domains: readonly string[];
  readonly thing: T;
}

function rank(domain: string, host: string): number {
  if (domain === host) return Number.MAX_SAFE_INTEGER;
  if (domain === '*') return 0;
  return domain.startsWith('*') && host.length >= domain.length && host.endsWith(domain.slice(1)) ? domain.length : -1;
}

/** Who answers to a host: an exact domain before wildcards, the longest of them first, `*` last. */
export function closest<T>(
  claims: readonly Claim<T>[],
  host: string,
): { readonly domain: string; readonly thing: T } | undefined {
  let best: { readonly domain: string; readonly thing: T } | undefined;
  let most = -1;
  for (const { domains, thing } of claims) {
    for (const domain of domains) {
      const found = rank(domain.toLowerCase(), host);
      if (found > most) [best, most] = [{ domain, thing }, found];
    }
  }
  return best;
}
