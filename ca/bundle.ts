/**
 * What a trust domain trusts at one moment: the roots that its certificates must lead to, and which of them are revoked.
 * Everything that is public and that every proxy, agent and client must have.
 */
export interface TrustBundle {
  /** Grows with each change of anything below, also over restarts of the control plane. */
  readonly generation: number;
  /** Root certificates, PEM, one block after another; never empty. */
  readonly rootsPem: string;
  /** Revocation lists, PEM. Envoy demands one of each issuer of a chain as soon as there is one of any. */
  readonly crlPem?: string;
}
