import type { Outcome } from '../refusal.ts';

/** What an authority above this one signed: a CA certificate for our own key. */
export interface SignedIntermediate {
  /** The new certificate first, then each certificate above it that the upstream gave, PEM. Nothing here is checked yet. */
  readonly chainPem: string;
}

/**
 * An authority that signs our intermediate. It knows nothing of files, of renewal or of what is trusted: one request, one answer.
 * Refusals: `unavailable` where asking again later may help, `forbidden` or `invalid` where somebody must change something first.
 */
export interface Upstream {
  /** For logs: kind and address, never a secret. */
  readonly name: string;
  requestIntermediate(request: IntermediateRequest): Promise<Outcome<SignedIntermediate>>;
}

export interface IntermediateRequest {
  /** PKCS#10, PEM. */
  readonly csr: string;
  /** What the request asks for, told again for upstreams that want it beside the request. */
  readonly commonName: string;
  readonly uri: string;
  readonly ttlSeconds: number;
}
