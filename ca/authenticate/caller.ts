import type { Parsed } from '../identity/parsed.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';

/** What a caller proved its identity with; `subject` is what the evidence itself says, for the log. */
export interface Evidence {
  readonly kind: 'token' | 'certificate' | 'join-token' | 'self';
  readonly subject: string;
  /** The certificate that was shown, which the new one replaces. */
  readonly serial?: string;
}

/** A pod that a token is bound to. */
export interface CallerPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly node?: string;
}

export interface Caller {
  readonly id: SpiffeId;
  readonly evidence: Evidence;
  readonly pod?: CallerPod;
  /** On evidence that counts once: uses it up. Nothing may be given to the caller before this has succeeded. */
  readonly claim?: () => Promise<Checked<undefined>>;
}

/** What a check of evidence gives: also that it could not be made now, which says nothing about the evidence. */
export type Checked<T> = Parsed<T> | { readonly ok: false; readonly reason: string; readonly unavailable: true };

/** How callers can prove who they are. Each gives the caller, or why the evidence does not count. */
export interface Credentials {
  /** The verified TLS peer; undefined reason texts never reach the caller when a token is good. */
  certificate(): Parsed<Caller>;
  token(value: string): Promise<Checked<Caller>>;
}

const BEARER = /^bearer +([A-Za-z0-9._~+/=-]+)$/i;
// Kubernetes tokens have 1 to 2 KiB.
const LONGEST_HEADER = 16 * 1024;

/**
 * Who is calling: by a client certificate, by a bearer token, or by both when both say the same. One of them that does
 * not count does not spoil the other: an agent back after a long time sends an expired certificate with a fresh token.
 * Two that are good and name different callers are refused.
 */
export async function authenticate(authorization: readonly string[], credentials: Credentials): Promise<Outcome<Caller>> {
  const peer = credentials.certificate();
  const bearer = bearerOf(authorization);
  const token = bearer === undefined ? undefined : bearer.ok ? await credentials.token(bearer.value) : bearer;
  if (peer.ok && token?.ok === true) {
    const { id, pod } = token.value;
    if (peer.value.id === id) return outcome({ ...peer.value, ...(pod && { pod }) });
    return refuse('unauthenticated', 'the client certificate and the token are of different identities');
  }
  if (peer.ok) return outcome(peer.value);
  if (token?.ok === true) return outcome(token.value);
  if (token !== undefined && 'unavailable' in token) return refuse('unavailable', token.reason);
  return refuse('unauthenticated', token === undefined ? `no token, and ${peer.reason}` : `${token.reason}, and ${peer.reason}`);
}

function bearerOf(values: readonly string[]): Parsed<string> | undefined {
  const [value, another] = values;
  if (value === undefined) return undefined;
  if (another !== undefined) return { ok: false, reason: 'more than one authorization header' };
  if (value.length > LONGEST_HEADER) return { ok: false, reason: 'the token is larger than 16 KiB' };
  const [, token] = BEARER.exec(value) ?? [];
  return token === undefined ? { ok: false, reason: 'the authorization header is no bearer token' } : { ok: true, value: token };
}
