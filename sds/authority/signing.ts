import type { KeyObject } from 'node:crypto';

/** What one call to an authority needs. */
export interface SigningCall {
  /** PKCS#10, PEM. */
  readonly csr: string;
  /** Asked for, in seconds; the authority may give less. */
  readonly ttlSeconds: number;
  /** Roots that the authority's own certificate must lead to, PEM. */
  readonly rootsPem: string;
  readonly token?: string | undefined;
  /** A still valid certificate to authenticate with. */
  readonly client?: { readonly chainPem: string; readonly key: KeyObject } | undefined;
}

export type SigningAnswer =
  | { readonly kind: 'signed'; readonly certChain: readonly string[] }
  /** `hint`: milliseconds that the server asked to wait. `code`: the gRPC status by name. */
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string; readonly hint?: number | undefined };

/** The way to an authority, as a parameter: gRPC in production, a function in tests. Never rejects. */
export type Sign = (call: SigningCall, signal: AbortSignal) => Promise<SigningAnswer>;

/** The answer in place of one that did not come in time. */
export function unanswered(limitMs: number): SigningAnswer & { readonly kind: 'failed' } {
  const seconds = Number((limitMs / 1000).toFixed(1));
  return { kind: 'failed', code: 'DEADLINE_EXCEEDED', reason: `the authority did not answer within ${seconds} s` };
}
