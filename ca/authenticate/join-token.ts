import { hash } from 'node:crypto';

declare const joinTokenHash: unique symbol;

/** SHA-256 of a join token, lower-case hexadecimal: all that is kept of one. 256 random bits need no salt and no slow hash. */
export type JoinTokenHash = string & { readonly [joinTokenHash]: true };

/** Tells join tokens from JWTs at a glance, to people, to secret scanners and to the authority. */
const PREFIX = 'ghjoin_';
const SECRET_BYTES = 32;
const FORM = /^ghjoin_[A-Za-z0-9_-]{43}$/;
const HASH = /^[0-9a-f]{64}$/;

export function newJoinToken(random: (bytes: number) => Uint8Array): string {
  return PREFIX + Buffer.from(random(SECRET_BYTES)).toString('base64url');
}

export function looksLikeJoinToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** Undefined for what was never made here. One spelling only: base64url with 43 digits leaves two bits over, which must be zero. */
export function hashOfJoinToken(token: string): JoinTokenHash | undefined {
  if (!FORM.test(token)) return undefined;
  const secret = token.slice(PREFIX.length);
  if (Buffer.from(secret, 'base64url').toString('base64url') !== secret) return undefined;
  return parseJoinTokenHash(hash('sha256', token, 'hex'));
}

export function parseJoinTokenHash(text: string): JoinTokenHash | undefined {
  return isHash(text) ? text : undefined;
}

function isHash(text: string): text is JoinTokenHash {
  return HASH.test(text);
}
