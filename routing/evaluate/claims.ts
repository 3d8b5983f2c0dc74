import type { HeaderMatch } from '../../mesh/model/virtual-service.ts';
import { asksPresence, holds } from './text.ts';

/** `@request.auth.claims.a.b` or `@request.auth.claims[a][b]` as names; undefined when it is neither. */
export function claimNamed(text: string): readonly string[] | undefined {
  const rest = /^@request\.auth\.claims(.*)$/i.exec(text)?.[1];
  if (rest === undefined) return undefined;
  const names = rest.startsWith('.') ? rest.slice(1).split('.') : /^\[.*\]$/.test(rest) ? rest.slice(1, -1).split('][') : [];
  return names.length > 0 && names.every((name) => name !== '') ? names : undefined;
}

/** True when the claim is there and is, or as a list holds, what the match asks for. */
export function claimIn(claims: unknown, path: readonly string[], match: HeaderMatch): boolean {
  let value = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
    value = Reflect.get(value, name) as unknown;
  }
  if (match.kind === 'present' || asksPresence(match)) return value !== undefined && value !== null;
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return texts.some((one) => typeof one === 'string' && holds(match, one));
}
