import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { Token } from './request.ts';
import { isOneOf, isText, valueOf, written } from './text.ts';

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

type TokenTest = (token: Token | undefined) => boolean;

/** Whether the claim below `path` is, or holds, one of these values. */
export function claimTest(path: readonly string[], values: readonly PolicyMatch[]): TokenTest {
  const [top = ''] = path;
  const matches = isOneOf(values);
  const words = path.length === 1 && SPACE_DELIMITED.has(top);
  return (token) => {
    let found: unknown = token?.claims;
    for (const name of path) found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    return (words && typeof found === 'string' ? found.split(' ') : textsOf(found)).some(matches);
  };
}

export function audienceTest(values: readonly PolicyMatch[]): TokenTest {
  const matches = isOneOf(values);
  return (token) => (token?.audiences ?? []).some(matches);
}

export function presenterTest(values: readonly PolicyMatch[]): TokenTest {
  const matches = isOneOf(values);
  return (token) => token?.presenter !== undefined && matches(token.presenter);
}

/**
 * Whether the token is of one of these `ISSUER/SUBJECT`. A value is cut at its last slash; without one, `abc*` is an
 * issuer of any subject, `*abc` a subject of any issuer.
 */
export function requestPrincipalTest(values: readonly PolicyMatch[]): TokenTest {
  const tests = values.map(requestPrincipal);
  return (token) => {
    const { issuer, subject } = token ?? {};
    return issuer !== undefined && subject !== undefined && tests.some((test) => test(issuer, subject));
  };
}

function requestPrincipal(value: PolicyMatch): (issuer: string, subject: string) => boolean {
  const text = written(value);
  if (text === '*') return (issuer, subject) => issuer !== '' && subject !== '';
  const slash = text.lastIndexOf('/');
  if (slash >= 0) {
    const [left, right] = [valueOf(text.slice(0, slash)), valueOf(text.slice(slash + 1))];
    return (issuer, subject) => isText(left, issuer) && isText(right, subject);
  }
  switch (value.kind) {
    case 'prefix':
      return (issuer, subject) => isText(value, issuer) && subject !== '';
    case 'suffix':
      return (issuer, subject) => issuer !== '' && isText(value, subject);
    default:
      return () => false;
  }
}
