import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';
import type { Visibility } from './service.ts';

export type ClientTls =
  | { readonly mode: 'DISABLE' }
  /** Asked for and not there yet: no connection is made, since one in plain text would give away what TLS was to protect. */
  | { readonly mode: 'SIMPLE' | 'MUTUAL' }
  /** The workload's own identity by SDS. */
  | { readonly mode: 'ISTIO_MUTUAL'; readonly sni: string | undefined; readonly subjectAltNames: readonly string[] };

export interface OutlierDetection {
  readonly consecutive5xx: number | undefined;
  readonly consecutiveGateway: number | undefined;
  readonly consecutiveLocalOrigin: number | undefined;
  readonly splitExternalLocalOrigin: boolean;
  readonly intervalMs: number | undefined;
  readonly baseEjectionMs: number | undefined;
  readonly maxEjectionPercent: number | undefined;
  readonly minHealthPercent: number | undefined;
}

export interface ConnectionPool {
  readonly maxConnections: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly http1MaxPendingRequests: number | undefined;
  readonly http2MaxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxRetries: number | undefined;
  readonly idleTimeoutMs: number | undefined;
}

export type LoadBalancer = 'LEAST_REQUEST' | 'ROUND_ROBIN' | 'RANDOM' | 'PASSTHROUGH';

export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer | undefined;
  readonly connectionPool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTls | undefined;
  readonly portLevel: ReadonlyMap<Port, TrafficPolicy>;
}

export interface Subset {
  readonly name: string;
  readonly labels: Labels;
  readonly trafficPolicy: TrafficPolicy | undefined;
}

export interface DestinationRule {
  readonly meta: Meta;
  readonly host: Hostname;
  readonly exportTo: Visibility;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}
