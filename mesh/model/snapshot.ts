import type { AuthorizationPolicy } from './authorization-policy.ts';
import type { ConfigMap } from './config-map.ts';
import type { DestinationRule } from './destination-rule.ts';
import type { GatewayApiObject } from './gateway-api.ts';
import type { Gateway } from './gateway.ts';
import type { MeshConfig } from './mesh-config.ts';
import type { NamespaceRollout } from './namespace-rollout.ts';
import type { Meta } from './object.ts';
import type { PeerAuthentication } from './peer-authentication.ts';
import type { RateLimit } from './rate-limit.ts';
import type { RequestAuthentication } from './request-authentication.ts';
import type { Service } from './service.ts';
import type { Sidecar } from './sidecar.ts';
import type { ProxySettings } from './proxy-settings.ts';
import type { Telemetry } from './telemetry.ts';
import type { VirtualService } from './virtual-service.ts';
import type { Workload } from './workload.ts';

/**
 * Everything that was configured, at one moment. Frozen; a change makes a new one with the next number and shares all
 * objects that did not change (same identity), so that pure functions of them can be memoised.
 * Lists are ordered by creation time, then namespace and name (objects without a time come last), as Istio resolves conflicts.
 */
export interface Snapshot {
  readonly number: number;
  readonly meshConfig: MeshConfig;
  readonly namespaces: readonly Meta[];
  readonly services: readonly Service[];
  readonly workloads: readonly Workload[];
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly gateways: readonly Gateway[];
  /** As they are written; what they come to stands among `gateways`, `virtualServices` and `destinationRules`. */
  readonly gatewayApi: readonly GatewayApiObject[];
  readonly configMaps: readonly ConfigMap[];
  readonly sidecars: readonly Sidecar[];
  readonly authorizationPolicies: readonly AuthorizationPolicy[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly requestAuthentications: readonly RequestAuthentication[];
  readonly rateLimits: readonly RateLimit[];
  readonly telemetries: readonly Telemetry[];
  /** For whoever starts proxies; absent: none. */
  readonly proxySettings?: readonly ProxySettings[];
  /** No proxy's configuration depends on them; absent: none. */
  readonly namespaceRollouts?: readonly NamespaceRollout[];
}
