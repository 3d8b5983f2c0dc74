import type { Parsed } from '../../ca/identity/parsed.ts';

const LARGEST_TOKEN = 64 * 1024;
/** RFC 6750, section 2.1: what may stand in an Authorization header. Also keeps line breaks out of it. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/;

/** Parses the content of a token file. The reasons never quote it. */
export function parseToken(content: string): Parsed<string> {
  if (content.length > LARGEST_TOKEN) return { ok: false, reason: 'more than 64 KiB' };
  const token = content.trim();
  if (token === '') return { ok: false, reason: 'empty' };
  if (!BEARER.test(token)) return { ok: false, reason: 'not a bearer token' };
  return { ok: true, value: token };
}

/**
 * When a JWT says that it ended, in milliseconds since the epoch; undefined when it has not, or is no JWT. Read without
 * any check of its signature, for a hint in an error message only.
 */
export function endedAt(token: string, now: number): number | undefined {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' && exp * 1000 <= now ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
