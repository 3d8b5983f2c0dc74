import { isIPv4 } from 'node:net';
import type { Hostname } from '../../mesh/model/hostname.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Service } from '../../mesh/model/service.ts';

/**
 * Every name under which a caller in the proxy's namespace reaches a host, as Kubernetes' DNS search path has it: for
 * `web.shop.svc.cluster.local` also `web.shop.svc`, `web.shop`, and `web` from inside `shop`. With and without the last dot.
 */
export function hostNames(host: Hostname, proxy: Proxy, clusterDomain: string): readonly string[] {
  const suffix = `.svc.${clusterDomain}`;
  const absolute = host.startsWith('*') || isIPv4(host) ? [host] : [host, `${host}.`];
  if (!host.endsWith(suffix)) return absolute;
  const short = host.slice(0, -suffix.length);
  const dot = short.lastIndexOf('.');
  const namespace = short.slice(dot + 1);
  const name = dot > 0 ? short.slice(0, dot) : undefined;
  const local = name !== undefined && name !== '*' && namespace === proxy.workload.namespace ? [name] : [];
  const within = name === undefined || name === '*' ? [] : [`${short}.svc`, short];
  return [...absolute, ...within, ...local];
}

const known = new WeakMap<Service, Map<string, readonly string[]>>();

/** As {@link namesOf}; the same list for all namespaces but the service's own, in which it has a short name as well. */
export function serviceNames(service: Service, proxy: Proxy, clusterDomain: string): readonly string[] {
  const suffix = `.${proxy.workload.namespace}.svc.${clusterDomain}`;
  const own = service.hostname.endsWith(suffix) ? suffix : '';
  const key =
    service.aliases === undefined
      ? own + clusterDomain
      : `${service.aliases.filter((alias) => alias.endsWith(suffix)).join()} ${own}${clusterDomain}`;
  const lists = known.get(service) ?? new Map<string, readonly string[]>();
  known.set(service, lists);
  const before = lists.get(key);
  if (before !== undefined) return before;
  const made = Object.freeze([...new Set(namesOf(service, proxy, clusterDomain))]);
  lists.set(key, made);
  return made;
}

/** The names of a service and its addresses; a headless one answers for its pods' names as well (`pod-0.web`). */
function namesOf(service: Service, proxy: Proxy, clusterDomain: string): readonly string[] {
  const names = [service.hostname, ...(service.aliases ?? [])].flatMap((host) => hostNames(host, proxy, clusterDomain));
  const headless =
    service.addresses.length === 0 &&
    !service.external &&
    service.resolution === 'endpoints' &&
    !service.hostname.startsWith('*');
  const below = headless ? names.map((name) => `*.${name}`) : [];
  // An address may be a range (10.0.0.0/8), which is no host name.
  const addresses = service.addresses
    .filter((address) => !address.includes('/'))
    .map((address) => (address.includes(':') ? `[${address}]` : address));
  return [...names, ...below, ...addresses];
}
