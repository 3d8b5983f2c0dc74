import { parsePort, type Port } from '../model/port.ts';
import { closest } from './closest.ts';
import { entriesOf, type Field, itemsOf } from './field.ts';
import { shorten } from './node.ts';
import { isReal } from './number.ts';

/** Text; empty when the field is absent or wrong. */
export function text(field: Field): string {
  const { node } = field;
  if (node === undefined) return '';
  if (node.kind === 'scalar' && typeof node.value === 'string') {
    if (!node.value.isWellFormed())
      field.error('bad-text', 'holds half of a character (a lone surrogate)', 'write the character itself');
    return node.value;
  }
  const value = node.kind === 'scalar' ? node.value : undefined;
  field.wrongType('text', value === undefined ? undefined : `put it in quotes: "${String(value)}"`);
  return '';
}

/** Text, or undefined when the field is absent or empty. */
export function optionalText(field: Field): string | undefined {
  const value = text(field);
  return value === '' ? undefined : value;
}

/** Text that must be there. */
export function requiredText(field: Field, hint?: string): string {
  const value = text(field);
  const broken = field.given && (field.node?.kind !== 'scalar' || typeof field.node.value !== 'string');
  if (value === '' && !broken) field.error('missing-field', 'must be set and not empty', hint);
  return value;
}

export function flag(field: Field): boolean | undefined {
  const { node } = field;
  if (node === undefined) return undefined;
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  field.wrongType('true or false', 'write true or false without quotes');
  return undefined;
}

/** A whole number from `least` to `most`. Numbers in quotes are taken where Kubernetes takes them (`quoted`). */
export function integer(field: Field, least: number, most: number): number | undefined {
  const { node } = field;
  if (node === undefined) return undefined;
  if (node.kind !== 'scalar' || typeof node.value !== 'number' || !Number.isInteger(node.value)) {
    const numeric = node.kind === 'scalar' && typeof node.value === 'string' && /^-?\d+$/.test(node.value);
    field.wrongType('a whole number', numeric ? `remove the quotes: ${node.value}` : undefined);
    return undefined;
  }
  if (node.value < least || node.value > most) {
    field.error('out-of-range', `${node.value} is out of range`, `use a number from ${least} to ${most}`);
    return undefined;
  }
  return node.value;
}

/** A number from `least` to `most`, with fractions. */
export function real(field: Field, least: number, most: number): number | undefined {
  const { node } = field;
  if (node === undefined) return undefined;
  if (node.kind !== 'scalar' || !isReal(node.value)) {
    field.wrongType('a number');
    return undefined;
  }
  if (node.value < least || node.value > most) {
    field.error('out-of-range', `${node.value} is out of range`, `use a number from ${least} to ${most}`);
    return undefined;
  }
  return node.value;
}

/** A port number, 1 to 65535. */
export function port(field: Field): Port | undefined {
  return parsePort(integer(field, 1, 65535));
}

/** One of a closed list of words. */
export function oneOf<T extends string>(field: Field, words: readonly T[]): T | undefined {
  const { node } = field;
  if (node === undefined) return undefined;
  const value = text(field);
  const found = words.find((word) => word === value);
  if (found === undefined && node.kind === 'scalar' && typeof node.value === 'string') {
    const near = closest(value, words);
    field.error(
      'unknown-value',
      `"${shorten(value)}" is not known here`,
      near === undefined ? `use one of ${words.join(', ')}` : `did you mean ${near}?`,
    );
  }
  return found;
}

/** A list of texts that are not empty. */
export function texts(field: Field): readonly string[] {
  return itemsOf(field).map((item) => {
    if (!item.given) return '';
    return requiredText(item, 'remove the empty item');
  });
}

/** A mapping from text to text (labels, header operations). */
export function textMap(field: Field): Readonly<Record<string, string>> {
  return Object.fromEntries(entriesOf(field).map(([name, value]) => [name, text(value)]));
}
