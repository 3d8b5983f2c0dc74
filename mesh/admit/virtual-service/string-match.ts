import type { HeaderMatch, StringMatch } from '../../model/virtual-service.ts';
import { type Field, entriesOf, fieldsOf } from '../field.ts';
import { checkRegex } from '../regex.ts';
import { text } from '../scalar.ts';

const FORMS = ['exact', 'prefix', 'regex'] as const;

/** What Istio reads as "present" where a header or parameter is asked for, though it is no regular expression. */
const ANY = '*';

/** Istio's StringMatch; undefined when no form is given. */
export function stringMatch(field: Field, mayBeAny = false): StringMatch | undefined {
  const fields = fieldsOf(field, FORMS);
  const given = FORMS.filter((form) => fields[form].given);
  if (given.length > 1)
    field.error('contradiction', `only one of ${given.join(' and ')} may be given`, 'keep one of them, or write a second match');
  const [kind] = given;
  if (kind === undefined) return undefined;
  const value = text(fields[kind]);
  if (kind === 'regex' && !(mayBeAny && value === ANY)) checkRegex(fields.regex, value);
  return { kind, value };
}

/** A StringMatch that must say something; an empty value is a mistake for everything but a header. */
export function requiredStringMatch(field: Field): StringMatch | undefined {
  if (!field.given) return undefined;
  const found = stringMatch(field);
  if (found === undefined || (found.value === '' && found.kind !== 'exact')) {
    if (!field.report.failed) field.error('missing-field', 'must have exact, prefix or regex with a value', 'as {exact: "..."}');
  }
  return found;
}

/** Header and query matches by name: `{}` means present. */
export function headerMatches(field: Field, named: 'header' | 'parameter'): Readonly<Record<string, HeaderMatch>> {
  const found: Record<string, HeaderMatch> = {};
  for (const [name, value] of entriesOf(field)) {
    if (name === '') value.error('bad-header', 'a name is empty', 'name the header or parameter');
    else if (named === 'header' && name.startsWith('@request.auth.')) checkClaim(value, name);
    else if (named === 'header' && !/^:?[-_.~!#$%&'*+^`|A-Za-z0-9]+$/.test(name))
      value.error('bad-header', 'is no header name', 'letters, digits, "-" and "_"');
    const match = value.given ? stringMatch(value, true) : undefined;
    if (match !== undefined && match.kind !== 'exact' && match.value === '')
      value.error('missing-field', `${match.kind} must not be empty`, 'write {} to ask only that it is there');
    const present =
      match === undefined || (match.kind !== 'exact' && match.value === '') || (match.kind === 'regex' && match.value === ANY);
    found[name] = present ? { kind: 'present' } : match;
  }
  return found;
}

/** What Istio calls a claim of the verified token; anything else that begins like it is no header and never matches. */
function checkClaim(field: Field, name: string): void {
  if (/^@request\.auth\.claims(?:(?:\.[^.]+)+|(?:\[[^[\]]+\])+)$/.test(name)) return;
  field.warning(
    'bad-claim',
    'names no claim; the route never matches',
    'write @request.auth.claims[group] or @request.auth.claims.group',
  );
}
