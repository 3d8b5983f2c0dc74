import type { RequestedKey } from '../csr/keys.ts';
import type { Validity } from '../sign/validity.ts';

/** What the authority meant to issue, told by the steps before signing, not by the builder. */
export interface Intended {
  readonly serial: string;
  /** As node:crypto prints names: `URI:spiffe://…`, or `DNS:a, IP Address:127.0.0.1`. */
  readonly subjectAltName: string;
  readonly key: RequestedKey;
  readonly validity: Validity;
  readonly longestSeconds: number;
}
