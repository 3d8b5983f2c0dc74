import type { PolicyMatch } from '../../model/authorization-policy.ts';
import type { Field } from '../field.ts';
import { patternOf } from './pattern.ts';

/** RFC 3986 pchar, as Envoy's URI template matcher takes literals. */
const LITERAL = /^[A-Za-z0-9\-._~!$&'()*+,;:@=%]*$/;

/** True when a path has a `{*}` or `{**}` segment and is therefore a template. */
export function isTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}');
}

/** Why Envoy would refuse a path template; undefined when it is one. */
export function templateProblem(path: string): string | undefined {
  let rest = false;
  for (const segment of path.split('/')) {
    if (segment === '{*}' || segment === '{**}') {
      if (rest) return `${segment} follows {**}, which already takes the rest`;
      if (segment === '{**}') rest = true;
      continue;
    }
    if (segment.includes('{') || segment.includes('}')) return `"${segment}" mixes text and braces`;
    if (!LITERAL.test(segment)) return `"${segment}" has characters that a path cannot have`;
    if (segment.includes('*')) return `"*" stands outside braces in "${segment}"`;
  }
  return undefined;
}

/** A path: a template, or a pattern as other values are. */
export function pathPattern(item: Field, written: string): PolicyMatch | undefined {
  if (!written.includes('{') && !written.includes('}')) return patternOf(written);
  const problem = templateProblem(written);
  if (problem === undefined) return { kind: 'template', value: written };
  item.error('bad-path', problem, 'a template has whole segments {*} (one) and at most one {**} (the rest), as /store/{*}/cart');
  return undefined;
}
