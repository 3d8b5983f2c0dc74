import { isIPv4, isIPv6 } from 'node:net';
import { selects } from '../../../mesh/model/object.ts';
import type { Service } from '../../../mesh/model/service.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Pod } from '../pod.ts';

/**
 * The hosts file of a pod: what a cluster's DNS would answer. Services of the pod's own namespace have their short
 * names too, as the search list of a pod's resolv.conf gives them.
 * @param pods all that run, behind headless Services
 */
export function hostsFile(
  snapshot: Snapshot,
  namespace: string,
  pod: { readonly name: string; readonly ip: string; readonly ip6?: string },
  pods: readonly Pod[],
): string {
  const own = pod.ip6 === undefined ? [] : ['::1 localhost', `${pod.ip6} ${pod.name}`];
  const lines = ['127.0.0.1 localhost', `${pod.ip} ${pod.name}`, ...own];
  const suffix = `.svc.${snapshot.meshConfig.clusterDomain}`;
  for (const service of snapshot.services) {
    const one = service.addresses.filter((candidate) => !candidate.includes('/'));
    // A name may have an address of each family that the pod itself has.
    const found = [
      one.find((candidate) => isIPv4(candidate)),
      pod.ip6 === undefined ? undefined : one.find((each) => isIPv6(each)),
    ];
    const addresses = found.flatMap((each) => each ?? []);
    if (service.hostname.includes('*')) continue;
    const names: string[] = [service.hostname];
    if (service.hostname.endsWith(suffix)) {
      const short = service.hostname.slice(0, -suffix.length);
      names.push(`${short}.svc`, short);
      if (service.meta.namespace === namespace) names.push(short.slice(0, short.length - namespace.length - 1));
    }
    for (const address of addresses) lines.push(`${address} ${names.join(' ')}`);
    if (addresses.length === 0 && service.headless === true) lines.push(...headlessLines(service, names, pods));
  }
  return `${lines.join('\n')}\n`;
}

/** A headless Service's name stands for its pods' addresses, and those of a StatefulSet have names of their own below it. */
function headlessLines(
  { meta, selector, families = ['IPv4'] }: Service,
  names: readonly string[],
  pods: readonly Pod[],
): readonly string[] {
  if (selector === undefined) return [];
  return pods
    .filter(({ namespace, labels }) => namespace === meta.namespace && selects(selector, labels))
    .flatMap(({ ip, ip6, name, owner }) => {
      const own = owner?.kind === 'StatefulSet' ? names.map((one) => `${name}.${one}`) : [];
      const wanted = families.flatMap((family) => (family === 'IPv4' ? ip : (ip6 ?? [])));
      return (wanted.length === 0 ? [ip] : wanted).map((address) => `${address} ${[...own, ...names].join(' ')}`);
    });
}
