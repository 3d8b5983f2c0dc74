import type { Port } from '../../mesh/model/port.ts';
import type { Destination } from '../../mesh/model/virtual-service.ts';
import { outboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';

/** The port of a destination: the one named, else the service's only port, else the port asked for. */
export function destinationPort(scope: Scope, destination: Destination, listenPort: Port): Port {
  const ports = scope.view.serviceByHost.get(destination.host)?.ports;
  const only = ports?.length === 1 ? ports[0]?.port : undefined;
  return destination.port ?? only ?? listenPort;
}

/**
 * The cluster of a destination.
 * A host or subset that does not exist gives the name of a cluster that does not exist: the call is answered with 503.
 */
export function destinationCluster(scope: Scope, destination: Destination, listenPort: Port): string {
  return outboundCluster(destinationPort(scope, destination, listenPort), destination.subset, destination.host);
}
