import type { AuthorizationPolicy } from '../model/authorization-policy.ts';
import type { ConfigMap } from '../model/config-map.ts';
import type { DestinationRule } from '../model/destination-rule.ts';
import type { GatewayApiObject } from '../model/gateway-api.ts';
import type { EndpointSlice } from '../model/endpoint-slice.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ingress, IngressClass } from '../model/ingress.ts';
import type { Locality } from '../model/load-balancer.ts';
import type { Labels, Meta } from '../model/object.ts';
import type { NamespaceRollout } from '../model/namespace-rollout.ts';
import type { PeerAuthentication } from '../model/peer-authentication.ts';
import type { RateLimit } from '../model/rate-limit.ts';
import type { RequestAuthentication } from '../model/request-authentication.ts';
import type { Probe } from '../model/probe.ts';
import type { Service } from '../model/service.ts';
import type { Sidecar } from '../model/sidecar.ts';
import type { Telemetry } from '../model/telemetry.ts';
import type { TemplatedKind } from '../model/templated-kinds.ts';
import type { WorkloadEntry } from '../model/workload-entry.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import type { ProxySettings } from '../model/proxy-settings.ts';
import type { ContainerPort, Instance } from '../model/workload.ts';
import type { Node } from './node.ts';
import type { Reference } from './reference.ts';

/** What a pod template (or a Pod) says. */
export interface PodShape {
  readonly serviceAccount: string;
  readonly numTrustedProxies?: number;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly probes: readonly Probe[];
  /** The proxy is written out, as the injector leaves it. */
  readonly hasProxy: boolean;
  readonly ports: readonly ContainerPort[];
  readonly image: string | undefined;
}

/** A Deployment, or what else has a pod template. */
export interface Deployment extends PodShape {
  readonly meta: Meta;
  readonly replicas: number;
  /** What made it: a ReplicaSet of a Deployment's, and a Job of a CronJob's, are no workloads of their own. */
  readonly owner?: Pod['owner'];
}

export interface Pod extends PodShape {
  readonly meta: Meta;
  /** What made it: a Deployment's name, or a ReplicaSet's, which is the Deployment's and a hash. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
  /** Undefined until it has an address. */
  readonly instance: Instance | undefined;
}

/** A machine of the cluster, and where it stands. */
export interface MachineNode {
  readonly meta: Meta;
  readonly locality: Locality | undefined;
}

/** An object that was admitted, by kind. */
export type MeshObject =
  | { readonly kind: 'Namespace'; readonly value: { readonly meta: Meta } }
  | { readonly kind: 'ServiceAccount'; readonly value: { readonly meta: Meta } }
  | { readonly kind: 'Service'; readonly value: Service }
  | { readonly kind: 'ServiceEntry'; readonly value: { readonly meta: Meta; readonly services: readonly Service[] } }
  | { readonly kind: TemplatedKind; readonly value: Deployment }
  | { readonly kind: 'Node'; readonly value: MachineNode }
  | { readonly kind: 'EndpointSlice' | 'Endpoints'; readonly value: EndpointSlice }
  | { readonly kind: 'Ingress'; readonly value: Ingress }
  | { readonly kind: 'IngressClass'; readonly value: IngressClass }
  | { readonly kind: 'Pod'; readonly value: Pod }
  | { readonly kind: 'ConfigMap'; readonly value: ConfigMap }
  | { readonly kind: 'VirtualService'; readonly value: VirtualService }
  | { readonly kind: 'DestinationRule'; readonly value: DestinationRule }
  | { readonly kind: 'Gateway'; readonly value: Gateway }
  | { readonly kind: 'Sidecar'; readonly value: Sidecar }
  | { readonly kind: 'WorkloadEntry'; readonly value: WorkloadEntry }
  | { readonly kind: 'WorkloadGroup'; readonly value: { readonly meta: Meta } }
  | { readonly kind: 'AuthorizationPolicy'; readonly value: AuthorizationPolicy }
  | { readonly kind: 'PeerAuthentication'; readonly value: PeerAuthentication }
  | { readonly kind: 'RequestAuthentication'; readonly value: RequestAuthentication }
  | GatewayApiObject
  | { readonly kind: 'RateLimit'; readonly value: RateLimit }
  | { readonly kind: 'NamespaceRollout'; readonly value: NamespaceRollout }
  | { readonly kind: 'Telemetry'; readonly value: Telemetry }
  | { readonly kind: 'ProxyConfig'; readonly value: ProxySettings };

/** An admitted object with what is needed to check it against others. */
export interface Admitted {
  /** `Kind namespace/name`, as diagnostics name it. */
  readonly key: string;
  readonly object: MeshObject;
  readonly file: string;
  /** Where it stands now; its `meta.origin` is where it stood when its content last changed. */
  readonly line: number;
  /** Lines that stand before `node` and `references`, which count from their own document. */
  readonly offset: number;
  readonly node: Node;
  readonly references: readonly Reference[];
}

/** An object that was not admitted; without a key when not even its kind and name can be read. */
export interface Refused {
  readonly key: string | undefined;
  readonly file: string;
  readonly line: number;
}
