/** The API group of the Kubernetes Gateway API. */
export const GATEWAY_API_GROUP = 'gateway.networking.k8s.io';

/** Its kinds that are read here. Its Gateway has a name of its own, since that of networking.istio.io is `Gateway`. */
export const GATEWAY_API_KINDS = Object.freeze([
  'GatewayClass',
  'KubernetesGateway',
  'ListenerSet',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute',
  'ReferenceGrant',
  'BackendTLSPolicy',
] as const);
export type GatewayApiKind = (typeof GATEWAY_API_KINDS)[number];

export function isGatewayApiKind(kind: string): kind is GatewayApiKind {
  return GATEWAY_API_KINDS.some((one) => one === kind);
}

export function isGatewayApi<T extends { readonly kind: string }>(
  object: T,
): object is Extract<T, { readonly kind: GatewayApiKind }> {
  return isGatewayApiKind(object.kind);
}

/** The kind as it is written in objects. */
export function writtenKind(kind: GatewayApiKind): string {
  return kind === 'KubernetesGateway' ? 'Gateway' : kind;
}

/** Kinds whose objects are in no namespace. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['Namespace', 'GatewayClass']);

export function isClusterScoped(kind: string): boolean {
  return CLUSTER_SCOPED.has(kind);
}
