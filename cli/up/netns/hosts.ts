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
    if (address === undefined || service.hostname.includes('*')) continue;
    const names: string[] = [service.hostname];
    if (service.hostname.endsWith(suffix)) {
      const short = service.hostname.slice(0, -suffix.length);
      names.push(`${short}.svc`, short);
      if (service.meta.namespace === namespace) names.push(short.slice(0, short.length - namespace.length - 1));
    }
    lines.push(`${address} ${names.join(' ')}`);
  }
  return `${lines.join('\n')}\n`;
}
