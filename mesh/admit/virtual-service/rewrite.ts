import { RE2JS } from 're2js';
import type { Rewrite } from '../../model/virtual-service.ts';
import { type Field, fieldsOf } from '../field.ts';
import { checkRegex, regexProblem } from '../regex.ts';
import { optionalText, requiredText } from '../scalar.ts';

/** A rewrite of the path (prefix or by expression) and of the authority. */
export function rewrite(field: Field): Rewrite | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['uri', 'authority', 'uriRegexRewrite']);
  if (fields.uri.given && fields.uriRegexRewrite.given)
    field.error('contradiction', 'uri and uriRegexRewrite are both given', 'keep one');
  if (!fields.uri.given && !fields.uriRegexRewrite.given && !fields.authority.given) {
    field.error('missing-field', 'a rewrite needs uri, uriRegexRewrite or authority', 'remove the empty rewrite');
  }
  return { uri: optionalText(fields.uri), uriRegex: uriRegex(fields.uriRegexRewrite), authority: optionalText(fields.authority) };
}

/** `\1` to `\9` in the substitution must be groups of the expression: Envoy refuses the route otherwise. */
function uriRegex(field: Field): Rewrite['uriRegex'] {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['match', 'rewrite']);
  const match = requiredText(fields.match);
  const substitution = requiredText(fields.rewrite);
  if (match === '') return undefined;
  checkRegex(fields.match, match);
  if (regexProblem(match) !== undefined) return undefined;
  const groups = RE2JS.compile(match).groupCount();
  for (const reference of substitution.replaceAll('\\\\', '').matchAll(/\\(.?)/g)) {
    const group = Number(reference[1] === '' ? Number.NaN : reference[1]);
    if (!(group <= groups)) {
      fields.rewrite.error(
        'invalid-regex',
        `\\${reference[1] ?? ''} is no group of the expression`,
        `the expression has ${groups} groups; write \\\\ for a backslash`,
      );
    }
  }
  return { match, rewrite: substitution };
}
