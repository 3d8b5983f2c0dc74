import type { Origin } from './diagnostic.ts';
import { GATEWAY_API_KINDS } from './gateway-api-kinds.ts';
import { TEMPLATED_KINDS } from './templated-kinds.ts';

export type Labels = Readonly<Record<string, string>>;

/** Every kind that can be configured; admission refuses others by name. */
export const KINDS = Object.freeze([
  'Namespace',
  'Service',
  'ServiceAccount',
  ...TEMPLATED_KINDS,
  'Pod',
  'ConfigMap',
  'Node',
  'EndpointSlice',
  'Endpoints',
  'Ingress',
  'IngressClass',
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'ServiceEntry',
  'Sidecar',
  'WorkloadEntry',
  'WorkloadGroup',
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'RateLimit',
  'NamespaceRollout',
  ...GATEWAY_API_KINDS,
  'Telemetry',
  'ProxyConfig',
] as const);
export type Kind = (typeof KINDS)[number];

/** What every configured object has. `createdAt` (milliseconds) orders objects as Istio does: the older one wins. */
export interface Meta {
  readonly kind: Kind;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly createdAt: number | undefined;
  readonly origin: Origin;
}

/** True when every pair of `selector` is in `labels`; an empty selector selects all. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const key of Object.keys(selector)) if (labels[key] !== selector[key]) return false;
  return true;
}

/** `namespace/name`, the name under which an object is known within its kind. */
export function keyOf(object: { readonly namespace: string; readonly name: string }): string {
  return `${object.namespace}/${object.name}`;
}
