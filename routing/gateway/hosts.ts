import type { GatewayHost, GatewayServer } from '../../mesh/model/gateway.ts';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';

function allows({ namespace }: GatewayHost, home: string, virtual: VirtualService): boolean {
  return namespace === '*' || namespace === virtual.meta.namespace || (namespace === '.' && home === virtual.meta.namespace);
}

/**
 * The hosts on which a server answers for a VirtualService: those that both name, and of a name and a wildcard over it the
 * narrower. A server's host may admit VirtualServices of one namespace only.
 * @param home the Gateway's namespace, which `.` stands for
 */
export function commonHosts(server: GatewayServer, home: string, virtual: VirtualService): readonly Hostname[] {
  const found = new Set<Hostname>();
  const admitted = server.hosts.filter((host) => allows(host, home, virtual));
  for (const wanted of virtual.hosts) {
    for (const { host } of admitted) {
      if (covers(host, wanted)) found.add(wanted);
      else if (covers(wanted, host)) found.add(host);
    }
  }
  return [...found];
}

/** The names that a Service's host goes by besides: `web.shop.svc`, `web.shop` and `web`; none for other hosts. */
export function shortNames(host: Hostname, clusterDomain: string): readonly string[] {
  const suffix = `.svc.${clusterDomain}`;
  if (!host.endsWith(suffix) || host.startsWith('*')) return [];
  const short = host.slice(0, -suffix.length);
  const dot = short.lastIndexOf('.');
  return dot > 0 ? [`${short}.svc`, short, short.slice(0, dot)] : [];
}
