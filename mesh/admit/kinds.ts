import { GATEWAY_API_GROUP, GATEWAY_API_KINDS, type GatewayApiKind, isGatewayApiKind } from '../model/gateway-api-kinds.ts';
import type { Kind } from '../model/object.ts';

const NETWORKING = Object.freeze(['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3']);
const SECURITY = Object.freeze(['security.istio.io/v1', 'security.istio.io/v1beta1']);
const TELEMETRY = Object.freeze(['telemetry.istio.io/v1', 'telemetry.istio.io/v1alpha1']);
const PROXY_CONFIG = Object.freeze(['networking.istio.io/v1beta1']);
const GATEHOUSE = Object.freeze(['gatehouse.dev/v1alpha1']);
const GATEWAY_API = Object.freeze(['v1', 'v1beta1', 'v1alpha3', 'v1alpha2'].map((version) => `${GATEWAY_API_GROUP}/${version}`));
const CORE = Object.freeze(['v1']);
const OLD_APPS = Object.freeze(['apps/v1', 'apps/v1beta2', 'extensions/v1beta1']);
const BATCH = Object.freeze(['batch/v1']);

/** The API versions in which each kind is taken. The old ones of Deployment and its like are what articles of 2018 use. */
export const VERSIONS: Readonly<Record<Kind, readonly string[]>> = Object.freeze({
  Namespace: CORE,
  Service: CORE,
  ServiceAccount: CORE,
  Pod: CORE,
  ConfigMap: CORE,
  Node: CORE,
  Endpoints: CORE,
  Ingress: Object.freeze(['networking.k8s.io/v1', 'networking.k8s.io/v1beta1', 'extensions/v1beta1']),
  IngressClass: Object.freeze(['networking.k8s.io/v1', 'networking.k8s.io/v1beta1']),
  EndpointSlice: Object.freeze(['discovery.k8s.io/v1', 'discovery.k8s.io/v1beta1']),
  Deployment: Object.freeze(['apps/v1', 'apps/v1beta1', 'apps/v1beta2', 'extensions/v1beta1']),
  StatefulSet: Object.freeze(['apps/v1', 'apps/v1beta1', 'apps/v1beta2']),
  DaemonSet: OLD_APPS,
  ReplicaSet: OLD_APPS,
  ReplicationController: CORE,
  Job: BATCH,
  CronJob: Object.freeze(['batch/v1', 'batch/v1beta1']),
  VirtualService: NETWORKING,
  DestinationRule: NETWORKING,
  Gateway: NETWORKING,
  ServiceEntry: NETWORKING,
  Sidecar: NETWORKING,
  WorkloadEntry: NETWORKING,
  WorkloadGroup: NETWORKING,
  AuthorizationPolicy: SECURITY,
  PeerAuthentication: SECURITY,
  RequestAuthentication: SECURITY,
  RateLimit: GATEHOUSE,
  NamespaceRollout: GATEHOUSE,
  ...(Object.fromEntries(GATEWAY_API_KINDS.map((kind) => [kind, GATEWAY_API])) as Record<GatewayApiKind, readonly string[]>),
  Telemetry: TELEMETRY,
  ProxyConfig: PROXY_CONFIG,
});

export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(VERSIONS, kind);
}

/** The kind by its name here: the name `Gateway` is there in two groups. */
export function kindHere(apiVersion: string, kind: string): string {
  return kind === 'Gateway' && groupOf(apiVersion) === GATEWAY_API_GROUP ? 'KubernetesGateway' : kind;
}

/** What is done with an object by its API version and kind. `guard`: it may protect something, so that leaving it out must be seen. */
export type Dispatch =
  | { readonly kind: 'read'; readonly as: Kind }
  | { readonly kind: 'other-version'; readonly as: Kind; readonly versions: readonly string[] }
  | { readonly kind: 'unused' }
  | { readonly kind: 'not-applied' }
  | { readonly kind: 'guard' }
  | { readonly kind: 'unknown' };

/** Istio's other kinds; without them the rest of the mesh works as it would by default. */
const NOT_APPLIED: ReadonlySet<string> = new Set(['IstioOperator']);
/** Kinds that may keep someone out. */
const GUARDS: ReadonlySet<string> = new Set(['EnvoyFilter', 'WasmPlugin', 'TrafficExtension']);

const ISTIO_GROUP = /(^|\.)istio\.io$/;
const OWN_GROUP = 'gatehouse.dev';

export function dispatch(apiVersion: string, kind: string): Dispatch {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const istio = ISTIO_GROUP.test(group);
  const own = istio || group === OWN_GROUP;
  if (group === GATEWAY_API_GROUP) return gatewayApi(apiVersion, kind);
  if (isKind(kind)) {
    const versions = VERSIONS[kind];
    if (versions.includes(apiVersion)) return { kind: 'read', as: kind };
    if (versions.some((version) => groupOf(version) === group)) return { kind: 'other-version', as: kind, versions };
    if (own) return { kind: 'other-version', as: kind, versions };
  }
  if (istio && GUARDS.has(kind)) return { kind: 'guard' };
  if (istio && NOT_APPLIED.has(kind)) return { kind: 'not-applied' };
  return own ? { kind: 'unknown' } : { kind: 'unused' };
}

function gatewayApi(apiVersion: string, kind: string): Dispatch {
  const as = kindHere(apiVersion, kind);
  if (!isGatewayApiKind(as)) return { kind: 'not-applied' };
  return GATEWAY_API.includes(apiVersion) ? { kind: 'read', as } : { kind: 'other-version', as, versions: GATEWAY_API };
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
