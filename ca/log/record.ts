import type { Evidence } from '../authenticate/caller.ts';
import type { RefusalCode } from '../refusal.ts';

/** Names in a certificate, as in X509Certificate.subjectAltName: `URI:spiffe://…` or `DNS:…`. */
interface Certified {
  readonly serial: string;
  readonly names: string;
  /** A workload's names besides its SPIFFE ID; absent where there are none. */
  readonly dnsNames?: readonly string[];
  readonly evidence: Evidence;
  readonly key: string;
  /** Key identifier of the CA that signs, hexadecimal; absent in records from before roots could be rotated. */
  readonly issuer?: string;
  readonly notBefore: string;
  readonly notAfter: string;
}

/** One line of issuance.jsonl. Times are RFC 3339 in UTC; serials lower-case hexadecimal. Never holds tokens or keys. */
export type LogRecord =
  /** The authority was opened; `issuer` is the SHA-256 fingerprint of its CA certificate. */
  | { readonly kind: 'opened'; readonly time: string; readonly issuer: string }
  /** On disk before the certificate exists. One without `issued` after it may or may not have been released. */
  | ({ readonly kind: 'intent'; readonly time: string } & Certified)
  /** The certificate passed its check and goes out; `sha256` is its fingerprint. */
  | { readonly kind: 'issued'; readonly time: string; readonly serial: string; readonly sha256: string }
  /** The certificate failed its check and was thrown away. */
  | { readonly kind: 'withheld'; readonly time: string; readonly serial: string; readonly reason: string }
  /** A JWT-SVID; on disk before it is signed. `kid` names the key that signs it. */
  | {
      readonly kind: 'jwt';
      readonly time: string;
      readonly identity: string;
      readonly audience: readonly string[];
      readonly evidence: Evidence;
      readonly kid: string;
      readonly expiresAt: string;
    }
  | {
      readonly kind: 'refused';
      readonly time: string;
      readonly code: RefusalCode;
      readonly reason: string;
      readonly evidence?: Evidence;
      /** Refusals since the last one logged that were left out, to keep a flood from filling the disk. */
      readonly unlogged?: number;
    };

export function toLine(record: LogRecord): string {
  return `${JSON.stringify(record)}\n`;
}
