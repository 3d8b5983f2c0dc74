/**
 * Why no certificate was issued, as data: gRPC status codes are chosen at the RPC edge (ca/service/status.ts).
 * `reason` is safe to show to the caller and to log: it never holds keys, tokens or certificate bytes.
 */
export interface Refusal {
  readonly code: RefusalCode;
  readonly reason: string;
  /** With `exhausted`: when to come back. */
  readonly retryAfterMs?: number;
}

export type RefusalCode =
  /** No valid evidence of who is calling. */
  | 'unauthenticated'
  /** The caller is known and asks for another's identity. */
  | 'forbidden'
  /** The caller asks too often. */
  | 'exhausted'
  /** The request cannot be read, or asks for what is never issued. */
  | 'invalid'
  /** The authority cannot issue now: its log cannot be written, or its own certificate has expired. */
  | 'unavailable'
  /** Our own output failed its check: a bug or broken hardware. Nothing was released. */
  | 'internal';

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export function outcome<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function refuse(code: RefusalCode, reason: string): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: { code, reason } };
}
