import type { KeyObject } from 'node:crypto';

/** What one call for a JWT-SVID needs. */
export interface JwtCall {
  readonly audience: readonly string[];
  /** Roots that the authority's own certificate must lead to, PEM. */
  readonly rootsPem: string;
  /** The workload's certificate: who asks. */
  readonly client: { readonly chainPem: string; readonly key: KeyObject };
}

/** `code`: the gRPC status by name. `hint`: milliseconds that the server asked to wait. */
export interface JwtFailure {
  readonly kind: 'failed';
  readonly code: string;
  readonly reason: string;
  readonly hint?: number | undefined;
}

export interface JwtBundleAnswer {
  readonly kind: 'bundle';
  readonly trustDomain: string;
  readonly jwks: string;
  readonly refreshSeconds: number;
  /** Key sets of other trust domains, by name. */
  readonly federated: ReadonlyMap<string, string>;
}

/** The way to the authority that signs JWT-SVIDs, as a parameter: gRPC in production, functions in tests. Never rejects. */
export interface JwtAuthority {
  create(call: JwtCall): Promise<{ readonly kind: 'signed'; readonly svid: string } | JwtFailure>;
  bundle(rootsPem: string): Promise<JwtBundleAnswer | JwtFailure>;
}
