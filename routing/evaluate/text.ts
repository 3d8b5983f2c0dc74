import { RE2JS } from 're2js';
import type { HeaderMatch, StringMatch } from '../../mesh/model/virtual-service.ts';

const compiled = new Map<string, RE2JS>();
const KEPT = 1_000;

/** RE2, as Envoy has it. Admission has refused what cannot be compiled. */
export function expression(pattern: string): RE2JS {
  const before = compiled.get(pattern);
  if (before !== undefined) return before;
  if (compiled.size >= KEPT) compiled.clear();
  const made = RE2JS.compile(pattern);
  compiled.set(pattern, made);
  return made;
}

export function holds(match: StringMatch, text: string): boolean {
  switch (match.kind) {
    case 'exact':
      return text === match.value;
    case 'prefix':
      return text.startsWith(match.value) && (match.segments !== true || /^([/?]|$)/.test(text.slice(match.value.length)));
    case 'regex':
      return expression(match.value).matches(text);
    default:
      return match satisfies never;
  }
}

/** A match that asks only whether something is there: an empty one, or the expression `*`. */
export function asksPresence(match: HeaderMatch): match is Exclude<HeaderMatch, StringMatch> | StringMatch {
  return match.kind === 'present' || (match.kind === 'regex' && match.value === '*');
}

/** @param text undefined: it is not there */
export function headerHolds(match: HeaderMatch, text: string | undefined): boolean {
  if (match.kind === 'present' || asksPresence(match)) return text !== undefined;
  return text !== undefined && holds(match, text);
}

export function written(match: HeaderMatch): string {
  return match.kind === 'present' ? 'to be there' : `${match.kind} ${JSON.stringify(match.value)}`;
}
