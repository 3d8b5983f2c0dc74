/**
 * What a trust domain trusts at one moment: the roots that its certificates must lead to, and which of them are revoked.
 * Everything that is public and that every proxy, agent and client must have.
 */
export interface TrustBundle {
  /** Grows with each change of anything below, also over restarts of the control plane. */
  readonly generation: number;
  /** Root certificates, PEM, one block after another; never empty. */
  readonly rootsPem: string;
  /** CA certificates between those who issue and the roots, PEM; absent where there are none. */
  readonly intermediatesPem?: string | undefined;
  /** Revocation lists, PEM. Envoy demands one of each issuer of a chain as soon as there is one of any. */
  readonly crlPem?: string;
  /** Absent where no trust domain is federated with. */
  readonly federation?: Federation | undefined;
}

/** Several trust domains side by side: the roots of each vouch for its own workloads and for nobody else's. */
export interface Federation {
  /** The names of our own trust domain, for which `rootsPem` vouches. */
  readonly own: readonly string[];
  /** The others whose bundle is known, in order of their names. */
  readonly foreign: readonly { readonly trustDomain: string; readonly rootsPem: string }[];
}
