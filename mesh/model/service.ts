import type { Family } from './families.ts';
import type { Hostname } from './hostname.ts';
import type { Locality } from './load-balancer.ts';
import type { Labels, Meta } from './object.ts';
import type { Port, Protocol } from './port.ts';

export interface ServicePort {
  readonly name: string;
  readonly port: Port;
  /** The workload's port, or the name of one of its container ports. */
  readonly targetPort: Port | string;
  readonly protocol: Protocol;
}

/** Where a namespaced object may be seen from: everywhere, or these namespaces. */
export type Visibility = { readonly kind: 'all' } | { readonly kind: 'namespaces'; readonly namespaces: readonly string[] };

export interface StaticEndpoint {
  readonly address: string;
  readonly ports: Readonly<Record<string, Port>>;
  readonly labels: Labels;
  readonly weight: number;
  readonly serviceAccount: string | undefined;
  readonly locality?: Locality;
  /** The ports of the service that it serves; undefined: all of them. */
  readonly servicePorts?: readonly Port[];
}

/** An address that an EndpointSlice names for a Service. */
export interface SlicedEndpoint {
  readonly address: string;
  readonly ready: boolean;
  /** By the names of the Service's ports. */
  readonly ports: Readonly<Record<string, Port>>;
  /** The Pod that it is, of the Service's namespace: labels, identity and place are the Pod's. */
  readonly pod: string | undefined;
  /** The name that it has below that of the Service (`web-0`). */
  readonly hostname: string | undefined;
  /** Where it is, if no Pod says. */
  readonly locality: Locality | undefined;
}

/** A Kubernetes Service, or one host of a ServiceEntry. */
export interface Service {
  readonly meta: Meta;
  readonly hostname: Hostname;
  /** Of its endpoints' addresses, the wanted first; undefined: any that they have first. */
  readonly families?: readonly Family[];
  /** Virtual addresses; empty when headless or external. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Labels of the workloads behind it; undefined when it has no selector. */
  readonly selector: Labels | undefined;
  /**
   * `endpoints`: addresses known to the mesh; `dns`: the host is resolved by the proxy; `none`: the original destination; `names`: of a wildcard,
   * the name that is asked for is resolved.
   */
  readonly resolution: 'endpoints' | 'dns' | 'none' | 'names';
  /** Of `dns`: one of the addresses at a time is called, which need not be all that there are (Envoy's LOGICAL_DNS). */
  readonly oneAddress?: true;
  /** Names of which the server's certificate must bear one, unless a DestinationRule names others. */
  readonly subjectAltNames?: readonly string[];
  readonly external: boolean;
  readonly endpoints: readonly StaticEndpoint[];
  /** What EndpointSlices name; then the selector chooses no endpoints. Undefined: there are no slices. */
  readonly sliced?: readonly SlicedEndpoint[];
  /** Of type ExternalName: it is another name of this host of the mesh, and no service of its own. */
  readonly aliasOf?: Hostname;
  /** Other names of it: those of Services that are its aliases. */
  readonly aliases?: readonly Hostname[];
  /** Wants no address (`clusterIP: None`): its name stands for its endpoints' addresses. */
  readonly headless?: true;
  /** Endpoints that are not ready take traffic as well. */
  readonly publishNotReady?: true;
  readonly exportTo: Visibility;
}
