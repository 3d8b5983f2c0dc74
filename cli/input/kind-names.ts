import { GATEWAY_API_GROUP, isGatewayApiKind, writtenKind } from '../../mesh/model/gateway-api-kinds.ts';

/** How a kind is called on the command line, and how its objects are named in messages (`virtualservice.networking.istio.io/reviews`). */
interface Names {
  readonly kind: string;
  readonly plural: string;
  readonly short: readonly string[];
  /** Empty for Kubernetes' core kinds. */
  readonly group: string;
}

const NETWORKING = 'networking.istio.io';
const SECURITY = 'security.istio.io';

export const KIND_NAMES: readonly Names[] = Object.freeze([
  { kind: 'Namespace', plural: 'namespaces', short: ['ns'], group: '' },
  { kind: 'Service', plural: 'services', short: ['svc'], group: '' },
  { kind: 'ServiceAccount', plural: 'serviceaccounts', short: ['sa'], group: '' },
  { kind: 'Pod', plural: 'pods', short: ['po'], group: '' },
  { kind: 'Deployment', plural: 'deployments', short: ['deploy'], group: 'apps' },
  { kind: 'StatefulSet', plural: 'statefulsets', short: ['sts'], group: 'apps' },
  { kind: 'DaemonSet', plural: 'daemonsets', short: ['ds'], group: 'apps' },
  { kind: 'ReplicaSet', plural: 'replicasets', short: ['rs'], group: 'apps' },
  { kind: 'ReplicationController', plural: 'replicationcontrollers', short: ['rc'], group: '' },
  { kind: 'Job', plural: 'jobs', short: [], group: 'batch' },
  { kind: 'CronJob', plural: 'cronjobs', short: ['cj'], group: 'batch' },
  { kind: 'Node', plural: 'nodes', short: ['no'], group: '' },
  { kind: 'EndpointSlice', plural: 'endpointslices', short: [], group: 'discovery.k8s.io' },
  { kind: 'Endpoints', plural: 'endpoints', short: ['ep'], group: '' },
  { kind: 'Ingress', plural: 'ingresses', short: ['ing'], group: 'networking.k8s.io' },
  { kind: 'IngressClass', plural: 'ingressclasses', short: [], group: 'networking.k8s.io' },
  { kind: 'VirtualService', plural: 'virtualservices', short: ['vs'], group: NETWORKING },
  { kind: 'DestinationRule', plural: 'destinationrules', short: ['dr'], group: NETWORKING },
  { kind: 'Gateway', plural: 'gateways', short: ['gw'], group: NETWORKING },
  { kind: 'ServiceEntry', plural: 'serviceentries', short: ['se'], group: NETWORKING },
  { kind: 'AuthorizationPolicy', plural: 'authorizationpolicies', short: ['ap'], group: SECURITY },
  { kind: 'PeerAuthentication', plural: 'peerauthentications', short: ['pa'], group: SECURITY },
  { kind: 'WorkloadEntry', plural: 'workloadentries', short: ['we'], group: NETWORKING },
  { kind: 'WorkloadGroup', plural: 'workloadgroups', short: ['wg'], group: NETWORKING },
  { kind: 'Sidecar', plural: 'sidecars', short: [], group: NETWORKING },
  { kind: 'RequestAuthentication', plural: 'requestauthentications', short: ['ra'], group: SECURITY },
  { kind: 'Telemetry', plural: 'telemetries', short: ['telemetry'], group: 'telemetry.istio.io' },
  { kind: 'ProxyConfig', plural: 'proxyconfigs', short: [], group: NETWORKING },
  { kind: 'GatewayClass', plural: 'gatewayclasses', short: ['gc'], group: GATEWAY_API_GROUP },
  // `gateways` without a group is Istio's.
  { kind: 'KubernetesGateway', plural: 'gateways', short: ['gtw', 'kubernetesgateways'], group: GATEWAY_API_GROUP },
  { kind: 'ListenerSet', plural: 'listenersets', short: ['lset'], group: GATEWAY_API_GROUP },
  { kind: 'HTTPRoute', plural: 'httproutes', short: [], group: GATEWAY_API_GROUP },
  { kind: 'GRPCRoute', plural: 'grpcroutes', short: [], group: GATEWAY_API_GROUP },
  { kind: 'TLSRoute', plural: 'tlsroutes', short: [], group: GATEWAY_API_GROUP },
  { kind: 'TCPRoute', plural: 'tcproutes', short: [], group: GATEWAY_API_GROUP },
  { kind: 'ReferenceGrant', plural: 'referencegrants', short: ['refgrant'], group: GATEWAY_API_GROUP },
  { kind: 'BackendTLSPolicy', plural: 'backendtlspolicies', short: ['btlspolicy'], group: GATEWAY_API_GROUP },
  { kind: 'RateLimit', plural: 'ratelimits', short: ['rl'], group: 'gatehouse.dev' },
  { kind: 'NamespaceRollout', plural: 'namespacerollouts', short: ['nsr'], group: 'gatehouse.dev' },
]);

/** The kind that a word on the command line means: its name, plural or short name in any case, with or without its group; `all` is handled by the caller. */
export function kindNamed(word: string): string | undefined {
  const [plain = '', ...group] = word.toLowerCase().split('.');
  return KIND_NAMES.find(
    (one) =>
      (plain === one.kind.toLowerCase() ||
        plain === one.plural ||
        one.short.includes(plain) ||
        (isGatewayApiKind(one.kind) && plain === writtenKind(one.kind).toLowerCase())) &&
      (group.length === 0 || group.join('.') === one.group),
  )?.kind;
}

/** `virtualservice.networking.istio.io`, as kubectl prints it before the name. */
export function resourceOf(kind: string, apiVersion: string): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const name = (isGatewayApiKind(kind) ? writtenKind(kind) : kind).toLowerCase();
  return group === '' ? name : `${name}.${group}`;
}

/** The API group of a kind by its name here. */
export function groupOfKind(kind: string): string {
  return KIND_NAMES.find((one) => one.kind === kind)?.group ?? '';
}

/** As it is written in objects. */
export function writtenName(kind: string): string {
  return isGatewayApiKind(kind) ? writtenKind(kind) : kind;
}
