import type { ConnectionPool } from './destination-rule.ts';
import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port, Protocol } from './port.ts';

/** Hosts of one namespace, or of all (`*`), which are imported, or left out of what is. */
export interface EgressHost {
  readonly namespace: string;
  readonly host: Hostname;
  readonly excluded: boolean;
}

export interface EgressListener {
  /** Undefined: all ports that no other listener names. */
  readonly port: Port | undefined;
  /** Of an HTTP proxy (`HTTP_PROXY`), by which every port is reached. */
  readonly anyPort?: true;
  readonly hosts: readonly EgressHost[];
}

export interface IngressListener {
  readonly port: Port;
  readonly protocol: Protocol;
  /** Where the application is called; undefined: at the port itself. */
  readonly endpoint: { readonly address: string; readonly port: Port } | undefined;
  /** Undefined: the Sidecar's own. */
  readonly connectionPool?: ConnectionPool | undefined;
}

/** What the proxies of a namespace, or of some workloads of it, know of the mesh. */
export interface Sidecar {
  readonly meta: Meta;
  /** Undefined: every workload of the namespace (of the mesh, in the root namespace). */
  readonly workloadSelector: Labels | undefined;
  /** Empty: everything that is visible. */
  readonly egress: readonly EgressListener[];
  /** Empty: the ports that Services and containers name. */
  readonly ingress: readonly IngressListener[];
  /** Undefined: the mesh's. */
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'ALLOW_ANY_DYNAMIC_DNS' | 'REGISTRY_ONLY' | undefined;
  /** Of connections to the own application; undefined: as the DestinationRule of the Service says. */
  readonly inboundConnectionPool?: ConnectionPool | undefined;
}
