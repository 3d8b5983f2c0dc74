import { KINDS, type Kind, type Meta } from '../../model/object.ts';

const RANKS: ReadonlyMap<Kind, number> = new Map(KINDS.map((kind, at) => [kind, at]));

/**
 * As Istio resolves conflicts: by age, then by namespace and name; objects without a time come last. Objects of different
 * kinds that are alike in all of that follow the list of kinds, so that the order never depends on the input's.
 */
export function compareMeta(one: Meta, other: Meta): number {
  const age = (one.createdAt ?? Number.POSITIVE_INFINITY) - (other.createdAt ?? Number.POSITIVE_INFINITY);
  if (age !== 0 && !Number.isNaN(age)) return age;
  if (one.namespace !== other.namespace) return one.namespace < other.namespace ? -1 : 1;
  if (one.name !== other.name) return one.name < other.name ? -1 : 1;
  return one.kind === other.kind ? 0 : (RANKS.get(one.kind) ?? 0) - (RANKS.get(other.kind) ?? 0);
}

export type Compare<T> = (one: T, other: T) => number;
