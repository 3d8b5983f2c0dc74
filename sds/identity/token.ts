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
