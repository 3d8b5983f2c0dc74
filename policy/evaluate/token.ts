import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { Token } from './request.ts';
import { isText, valueOf, written } from './text.ts';

/** Claims that hold several words in one text (RFC 8693, section 4.2). */
const SPACE_DELIMITED: ReadonlySet<string> = new Set(['scope', 'permission']);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The texts of a claim; a number, a boolean or an object is none. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** True when the claim below `path` is, or holds, what the value says. */
export function hasClaim(token: Token | undefined, path: readonly string[], value: PolicyMatch): boolean {
  const [top = ''] = path;
  let found: unknown = token?.claims;
  for (const name of path) found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  const words = path.length === 1 && SPACE_DELIMITED.has(top) && typeof found === 'string' ? found.split(' ') : textsOf(found);
  return words.some((text) => isText(value, text));
}

export function hasAudience(token: Token | undefined, value: PolicyMatch): boolean {
  return (token?.audiences ?? []).some((audience) => isText(value, audience));
}

export function hasPresenter(token: Token | undefined, value: PolicyMatch): boolean {
  return token?.presenter !== undefined && isText(value, token.presenter);
}

/**
 * True when the token is of this `ISSUER/SUBJECT`. The value is cut at its last slash; without one, `abc*` is an issuer
 * of any subject, `*abc` a subject of any issuer.
 */
export function isRequestPrincipal(token: Token | undefined, value: PolicyMatch): boolean {
  const { issuer, subject } = token ?? {};
  if (issuer === undefined || subject === undefined) return false;
  const text = written(value);
  if (text === '*') return issuer !== '' && subject !== '';
  const slash = text.lastIndexOf('/');
  if (slash >= 0) return isText(valueOf(text.slice(0, slash)), issuer) && isText(valueOf(text.slice(slash + 1)), subject);
  switch (value.kind) {
    case 'prefix':
      return isText(value, issuer) && subject !== '';
    case 'suffix':
      return issuer !== '' && isText(value, subject);
    default:
      return false;
  }
}
