import type { Hostname } from './hostname.ts';
import type { LoadBalancer } from './load-balancer.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';
import type { Visibility } from './service.ts';

/** Files beside the proxy, or a Kubernetes Secret; both reach Envoy by SDS. */
export type KeyPair =
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }
  | { readonly kind: 'secret'; readonly name: string };

export type Authorities =
  /** Those of the operating system. `crl`: a file of what authorities revoked, which must be there for each of them. */
  | { readonly kind: 'system'; readonly crl?: string }
  | { readonly kind: 'file'; readonly path: string; readonly crl?: string }
  | { readonly kind: 'secret'; readonly name: string }
  /** Certificates in PEM, of a ConfigMap. */
  | { readonly kind: 'inline'; readonly pem: string }
  /** `insecureSkipVerify`: the server is not checked. */
  | { readonly kind: 'none' };

/** What the pods of a gateway show to servers that ask for a certificate. */
export interface GatewayKeyPair {
  readonly namespace: string;
  readonly selector: Labels;
  readonly keyPair: KeyPair;
}

/** TLS toward a server outside of the mesh's mutual TLS. */
export interface OriginatedTls {
  readonly mode: 'SIMPLE' | 'MUTUAL';
  readonly sni: string | undefined;
  /** Names of which the server's certificate must have one; empty: the host that is called, where it is known. */
  readonly subjectAltNames: readonly string[];
  /** Undefined for SIMPLE. */
  readonly keyPair: KeyPair | undefined;
  /** Of callers that are gateways, where none is given for all. */
  readonly gatewayKeyPairs?: readonly GatewayKeyPair[];
  readonly authorities: Authorities;
}

export type ClientTls =
  | { readonly mode: 'DISABLE' }
  /** Asked for in a way that is not there: no connection is made, since a lesser one would give away what TLS was to protect. */
  | { readonly mode: 'UNAVAILABLE' }
  | OriginatedTls
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
  /** Answers that count as errors of the server; empty: those from 500 on. */
  readonly httpErrorCodes: readonly number[];
}

export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeMs: number | undefined;
  readonly intervalMs: number | undefined;
}

export interface ConnectionPool {
  readonly maxConnections: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  readonly maxConnectionDurationMs: number | undefined;
  /** Of TCP connections; HTTP has its own. */
  readonly tcpIdleTimeoutMs: number | undefined;
  readonly http1MaxPendingRequests: number | undefined;
  readonly http2MaxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxRetries: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly maxConcurrentStreams: number | undefined;
  readonly http2KeepAlive: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;
  /** HTTP/1.1 is carried over HTTP/2; undefined: as the port declares. */
  readonly upgradeToHttp2: boolean | undefined;
  readonly useClientProtocol: boolean;
}

/** Retries may be this share of the requests that are under way. */
export interface RetryBudget {
  readonly percent: number | undefined;
  readonly minRetryConcurrency: number | undefined;
}

/** TCP is carried in an HTTP CONNECT (or POST) to the destination, which opens a connection to the target. */
export interface Tunnel {
  readonly method: 'CONNECT' | 'POST';
  readonly host: string;
  readonly port: Port;
}

export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer | undefined;
  readonly connectionPool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTls | undefined;
  readonly tunnel: Tunnel | undefined;
  readonly proxyProtocol: 'V1' | 'V2' | undefined;
  readonly retryBudget: RetryBudget | undefined;
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
  /** Labels of the callers for which it holds; undefined: all of those that see it. */
  readonly workloadSelector: Labels | undefined;
  /** Made of a BackendTLSPolicy: its TLS holds for every caller, whatever other rules say of the host. */
  readonly demandsTls?: true;
}
