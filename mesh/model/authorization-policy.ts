import type { Labels, Meta } from './object.ts';
import type { TargetRef } from './target-ref.ts';

/**
 * How policy strings match: the whole text, its beginning (`abc*`), its end (`*abc`) or anything non-empty (`*`).
 * `template` is a path with `{*}` and `{**}` segments, for paths only.
 */
export type PolicyMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'present' }
  | { readonly kind: 'template'; readonly value: string };

/** Values that must match (one of them) and values that must not (none of them). Both empty: no condition. */
export interface Condition<T> {
  readonly values: readonly T[];
  readonly notValues: readonly T[];
}

/** All given conditions must hold. Trust-domain aliases are not yet expanded here. */
export interface Source {
  readonly principals: Condition<PolicyMatch>;
  readonly requestPrincipals: Condition<PolicyMatch>;
  readonly namespaces: Condition<PolicyMatch>;
  /** `namespace/name`, or a bare name in the policy's namespace, as written. */
  readonly serviceAccounts: Condition<PolicyMatch>;
  /** Trust domains as they are written in SPIFFE IDs; aliases do not count here. */
  readonly trustDomains: Condition<PolicyMatch>;
  /** CIDR or address, as written and checked. */
  readonly ipBlocks: Condition<string>;
  readonly remoteIpBlocks: Condition<string>;
}

export interface Operation {
  readonly hosts: Condition<PolicyMatch>;
  readonly ports: Condition<number>;
  readonly methods: Condition<PolicyMatch>;
  readonly paths: Condition<PolicyMatch>;
}

export interface When {
  /** As documented by Istio: `request.headers[x]`, `source.ip`, `request.auth.claims[a][b]`, ... */
  readonly key: string;
  readonly values: Condition<string>;
}

/** A rule holds when one source (or none is given), one operation (or none is given) and every condition hold. */
export interface Rule {
  readonly from: readonly Source[];
  readonly to: readonly Operation[];
  readonly when: readonly When[];
}

export type PolicyAction = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';

export interface AuthorizationPolicy {
  readonly meta: Meta;
  readonly action: PolicyAction;
  readonly provider: string | undefined;
  /** Empty: every workload of the namespace (of the mesh, in the root namespace). */
  readonly selector: Labels;
  /** Where given, the policy applies to the proxies that stand for one of these, and nowhere else. */
  readonly targetRefs: readonly TargetRef[];
  readonly rules: readonly Rule[];
  readonly dryRun: boolean;
}
