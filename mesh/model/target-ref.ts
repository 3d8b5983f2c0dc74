/**
 * The object that a policy is attached to in place of a selector (`targetRefs`). It is in the policy's own namespace; a
 * GatewayClass has none. Only a gateway of the Kubernetes Gateway API stands for one; Services, ServiceEntries and classes are
 * stood for by waypoints, which no sidecar is.
 */
export interface TargetRef {
  readonly kind: 'Gateway' | 'GatewayClass' | 'Service' | 'ServiceEntry';
  readonly name: string;
}

/** The label by which a workload says that it is the proxy of a Gateway (kind of the Gateway API). */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
