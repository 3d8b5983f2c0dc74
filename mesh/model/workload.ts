import type { Locality } from './load-balancer.ts';
import type { Labels, Meta } from './object.ts';
import type { Port, Protocol } from './port.ts';
import type { Probe } from './probe.ts';

export interface ContainerPort {
  readonly name: string | undefined;
  readonly port: Port;
  readonly protocol: Protocol;
}

/** How traffic reaches the proxy beside an instance. */
export type Capture =
  /** iptables REDIRECT, as in a pod: 15001 outbound, 15006 inbound. */
  | { readonly kind: 'redirect' }
  /** No capture: the proxy binds the instance's own address and forwards to the application's. */
  | { readonly kind: 'explicit'; readonly appAddress: string };

/** One running copy of a workload: a Pod, or the stand-in for one that a Deployment declares. */
export interface Instance {
  readonly name: string;
  /** A host name too, of a WorkloadEntry. */
  readonly address: string;
  /** Of the other family, if it has both. */
  readonly otherAddress?: string;
  readonly labels: Labels;
  readonly ready: boolean;
  /** Has a proxy with an identity, so callers use mutual TLS toward it. */
  readonly meshed: boolean;
  readonly capture: Capture;
  /** Where a gateway proxy listens. */
  readonly bindAddress: string;
  /** The node it runs on and its UID, where a Pod says them. */
  readonly node?: string;
  readonly uid?: string;
  /** The name that it has below that of a headless Service (`web-0`). */
  readonly hostname?: string;
  readonly locality?: Locality;
}

/** What a Deployment (or a bare Pod) stands for; known as `namespace/name`. */
export interface Workload {
  readonly meta: Meta;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** The pod template's labels. */
  readonly labels: Labels;
  /** The pod template's. */
  readonly annotations?: Labels;
  /** As in MeshConfig, for this gateway alone. */
  readonly numTrustedProxies?: number;
  readonly probes?: readonly Probe[];
  /** The pod template has the proxy written out, as the injector leaves it. */
  readonly hasProxy?: boolean;
  readonly ports: readonly ContainerPort[];
  readonly image: string | undefined;
  readonly replicas: number;
  readonly instances: readonly Instance[];
  /** A WorkloadEntry's own ports by the names of service ports, and its weight. */
  readonly servicePorts?: Readonly<Record<string, Port>>;
  readonly weight?: number;
}

/** The ports that traffic is accepted on under a name or number. */
export function containerPort(workload: Workload, target: Port | string): Port | undefined {
  if (typeof target === 'number') return target;
  return workload.ports.find((port) => port.name === target)?.port;
}
