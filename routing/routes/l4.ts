import { selects } from '../../mesh/model/object.ts';
import type { L4Match, RouteDestination } from '../../mesh/model/virtual-service.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Scope } from '../scope.ts';
import type { RouteSite } from './applies.ts';
import { destinationCluster } from './destination.ts';

/** True when a match of a connection can hold for this proxy at this site; server names and destination blocks are left to Envoy. */
export function l4Applies(scope: Scope, site: RouteSite, match: L4Match): boolean {
  if (match.port !== undefined && match.port !== site.port) return false;
  if (match.gateways.length > 0 && !match.gateways.some((name) => site.gateways.has(name))) return false;
  if (!selects(match.sourceLabels, scope.proxy.instance.labels)) return false;
  return match.sourceNamespace === undefined || match.sourceNamespace === scope.proxy.workload.namespace;
}

/** Where connections go: clusters and their shares. */
export type TcpTarget = readonly { readonly cluster: string; readonly weight: number }[];

/** A weight of zero takes no part, unless it stands alone. */
export function tcpTarget(scope: Scope, destinations: readonly RouteDestination[], listenPort: Port): TcpTarget {
  const live = destinations.length === 1 ? destinations : destinations.filter(({ weight }) => weight > 0);
  return live.map(({ destination, weight }) => ({ cluster: destinationCluster(scope, destination, listenPort), weight }));
}
