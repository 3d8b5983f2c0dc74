import type { Field } from './field.ts';

/** A field of Istio's that is understood but has no effect yet: said aloud, so that nobody believes it works. */
export function unapplied(field: Field, what: string): void {
  if (field.given) field.warning('not-yet-applied', `${what} is not applied yet`, 'the rest of the object is in effect');
}

/** An old name of a field: accepted, with today's form in the warning. */
export function oldForm(field: Field, today: string): void {
  if (field.given) field.warning('old-form', 'is an old form', `write ${today}`);
}
