import { type Field, fieldsOf } from './field.ts';
import { integer, real } from './scalar.ts';

/** Istio's Percent message, `{value: 0..100}`, with fractions. An absent value is 0, as protobuf has it. */
export function percentage(field: Field): number | undefined {
  if (!field.given) return undefined;
  return real(fieldsOf(field, ['value']).value, 0, 100) ?? 0;
}

/** A whole percentage, 0 to 100. */
export function wholePercent(field: Field): number | undefined {
  return integer(field, 0, 100);
}
