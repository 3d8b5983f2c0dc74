import type { Condition, PolicyMatch } from '../../model/authorization-policy.ts';
import { type Field, itemsOf } from '../field.ts';
import { requiredText } from '../scalar.ts';

/** Reads one item of a list; undefined when wrong (reported). */
export type ReadItem<T> = (item: Field, written: string) => T | undefined;

/** `values` and `notValues` of one attribute. A list that is given but empty says nothing and is refused: nobody could tell what was meant. */
export function condition<T>(values: Field, notValues: Field, read: ReadItem<T>): Condition<T> {
  return { values: listed(values, read), notValues: listed(notValues, read) };
}

/** The values of a list that must not be empty where it is given. */
export function listed<T>(field: Field, read: ReadItem<T>): readonly T[] {
  const items = itemsOf(field);
  if (field.node?.kind === 'list' && items.length === 0)
    field.error('empty-list', 'is an empty list', 'fill it in, or remove the field');
  return items.flatMap((item) => {
    if (!item.given) return [];
    const written = requiredText(item, 'remove the empty item');
    const value = written === '' ? undefined : read(item, written);
    return value === undefined ? [] : [value];
  });
}

/** A wildcard counts only as the first or the last character; elsewhere `*` is an ordinary one, as in Istio. */
export function patternOf(written: string): PolicyMatch {
  if (written === '*') return { kind: 'present' };
  if (written.startsWith('*')) return { kind: 'suffix', value: written.slice(1) };
  if (written.endsWith('*')) return { kind: 'prefix', value: written.slice(0, -1) };
  return { kind: 'exact', value: written };
}

export const pattern: ReadItem<PolicyMatch> = (_, written) => patternOf(written);
