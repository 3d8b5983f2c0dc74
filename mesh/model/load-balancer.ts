export type LoadBalancerAlgorithm = 'LEAST_REQUEST' | 'ROUND_ROBIN' | 'RANDOM' | 'PASSTHROUGH';

/** What of a request or connection decides which endpoint has it, so that the same value meets the same endpoint. */
export type HashKey =
  | { readonly kind: 'header'; readonly name: string }
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly path: string | undefined;
      /** With it, even 0, the proxy makes the cookie where a client has none; without, such clients are spread at random. */
      readonly ttlMs: number | undefined;
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: 'source-ip' }
  | { readonly kind: 'query-parameter'; readonly name: string };

export interface ConsistentHash {
  readonly key: HashKey;
  readonly table: 'ring' | 'maglev';
  /** The least size of a ring, or the size of a Maglev table; undefined: Envoy's own. */
  readonly size: number | undefined;
}

/** New endpoints get their share of requests little by little. */
export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent: number | undefined;
  readonly aggression: number | undefined;
}

/** Where an endpoint or a caller stands; each part may be empty. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** Which endpoints are near, as Istio's LocalityLoadBalancerSetting says it. */
export interface LocalityBalancing {
  readonly enabled: boolean;
  /** From `region/zone/*` to shares that add up to 100. */
  readonly distribute: readonly { readonly from: string; readonly to: Readonly<Record<string, number>> }[];
  /** Regions that take over. */
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Labels, `label` or `label=value`; the more of the first ones agree with the caller's, the nearer. */
  readonly failoverPriority: readonly string[];
}

export interface LoadBalancer {
  /** Undefined: LEAST_REQUEST. */
  readonly algorithm: LoadBalancerAlgorithm | undefined;
  readonly hash: ConsistentHash | undefined;
  readonly warmup: Warmup | undefined;
  /** Undefined: what MeshConfig says. */
  readonly locality: LocalityBalancing | undefined;
}
