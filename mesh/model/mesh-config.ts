import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { ExtensionProvider } from './extension-provider.ts';
import type { LocalityBalancing } from './load-balancer.ts';
import type { MeshDefaults } from './mesh-defaults.ts';
import type { MeshTelemetry } from './telemetry.ts';

/** How Envoy normalises a path before policy and routes see it; Istio's names. */
export type PathNormalization = 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';

/** What TLS is negotiated with; empty lists: what is used where nothing is said. Ciphers are those of TLS 1.2, as 1.3 has its own. */
export interface TlsParameters {
  readonly minVersion?: 'TLSV1_2' | 'TLSV1_3';
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}

/** The fields of Istio's MeshConfig that are honoured. */
export interface MeshConfig {
  readonly trustDomain: TrustDomain;
  readonly trustDomainAliases: readonly string[];
  /** Trust domains whose workloads may call ours, each under its own roots; given to the control plane, not a field of Istio's. */
  readonly federatedTrustDomains?: readonly TrustDomain[];
  readonly rootNamespace: string;
  /** The DNS domain of Kubernetes Services. */
  readonly clusterDomain: string;
  readonly pathNormalization: PathNormalization;
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'ALLOW_ANY_DYNAMIC_DNS' | 'REGISTRY_ONLY';
  readonly enableAutoMtls: boolean;
  /** Proxies in front of a gateway that are believed about the caller's address (X-Forwarded-For); absent: none. */
  readonly numTrustedProxies?: number;
  /** Where a route rewrites the host, X-Forwarded-Host tells the one that was asked for. */
  readonly forwardedHost?: true;
  /** Load balancers in front of gateways announce callers by the PROXY protocol; absent: nobody does. */
  readonly gatewayProxyProtocol?: boolean;
  /** Names of ServiceEntries resolve to the addresses that the mesh gave them (`ISTIO_META_DNS_AUTO_ALLOCATE` of the proxies). */
  readonly dnsAutoAllocate?: boolean;
  /** Names are unique. Absent: none. */
  readonly extensionProviders?: readonly ExtensionProvider[];
  /** Istio's `localityLbSetting`, for destinations whose rules say nothing of it; absent: near endpoints first. */
  readonly localityLb?: LocalityBalancing;
  readonly defaults?: MeshDefaults;
  /** Istio's `tlsDefaults`: of TLS other than the mesh's own, where a Gateway says nothing. */
  readonly tlsDefaults?: TlsParameters;
  /** Istio's `meshMTLS`: of the mesh's own mutual TLS. */
  readonly meshMtls?: TlsParameters;
  /** Tracing and access logs; absent: neither, as Istio's. */
  readonly telemetry?: MeshTelemetry;
}
