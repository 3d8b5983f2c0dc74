import { endpointsOf } from '../../../mesh/model/endpoints.ts';
import type { Service } from '../../../mesh/model/service.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';

/**
 * The hosts file of a pod: what a cluster's DNS would answer. Services of the pod's own namespace have their short
 * names too, as the search list of a pod's resolv.conf gives them.
 */
export function hostsFile(snapshot: Snapshot, namespace: string, pod: { readonly name: string; readonly ip: string }): string {
  const lines = ['127.0.0.1 localhost', `${pod.ip} ${pod.name}`];
  const suffix = `.svc.${snapshot.meshConfig.clusterDomain}`;
  for (const service of snapshot.services) {
    const address = service.addresses.find((candidate) => /^\d+\.\d+\.\d+\.\d+$/.test(candidate));
    if (service.hostname.includes('*')) continue;
    const names: string[] = [service.hostname];
    if (service.hostname.endsWith(suffix)) {
      const short = service.hostname.slice(0, -suffix.length);
      names.push(`${short}.svc`, short);
      if (service.meta.namespace === namespace) names.push(short.slice(0, short.length - namespace.length - 1));
    }
    if (address !== undefined) lines.push(`${address} ${names.join(' ')}`);
    else if (service.headless === true) lines.push(...headlessLines(snapshot, service, names));
  }
  return `${lines.join('\n')}\n`;
}

/** A headless Service's name stands for its pods' addresses, and each pod that has a name there is found by it. */
function headlessLines(snapshot: Snapshot, service: Service, names: readonly string[]): readonly string[] {
  const found = new Map<string, string | undefined>();
  for (const port of service.ports)
    for (const { address, hostname } of endpointsOf(snapshot, service, port)) found.set(address, hostname);
  return [...found].map(([address, hostname]) => {
    const own = hostname === undefined ? [] : names.map((name) => `${hostname}.${name}`);
    return `${address} ${[...own, ...names].join(' ')}`;
  });
}
