import type { Port } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Destination } from '../../mesh/model/virtual-service.ts';
import { outboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';

/** The service that a destination means; the name of an alias means what it stands for. */
function meant({ view }: Scope, { host }: Destination): Service | undefined {
  return view.serviceByHost.get(host) ?? view.aliased(host);
}

/** The port of a destination: the one named, else the service's only port, else the port asked for. */
export function destinationPort(scope: Scope, destination: Destination, listenPort: Port): Port {
  const ports = meant(scope, destination)?.ports;
  const only = ports?.length === 1 ? ports[0]?.port : undefined;
  return destination.port ?? only ?? listenPort;
}

/**
 * The cluster of a destination.
 * A host or subset that does not exist gives the name of a cluster that does not exist: the call is answered with 503.
 */
export function destinationCluster(scope: Scope, destination: Destination, listenPort: Port): string {
  const host = meant(scope, destination)?.hostname ?? destination.host;
  return outboundCluster(destinationPort(scope, destination, listenPort), destination.subset, host);
}
