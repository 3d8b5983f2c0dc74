import type { Kind } from '../model/object.ts';
import type { Admitted } from '../admit/mesh-object.ts';

export interface Change {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly change: 'added' | 'changed' | 'removed';
}

/** What differs between two sets of objects, by key. */
export function changesBetween(before: ReadonlyMap<string, Admitted>, after: ReadonlyMap<string, Admitted>): readonly Change[] {
  const found: Change[] = [];
  const add = ({ object }: Admitted, change: Change['change']): void => {
    const { kind, namespace, name } = object.value.meta;
    found.push({ kind, namespace, name, change });
  };
  for (const [key, next] of after) {
    const last = before.get(key);
    if (last === undefined) add(next, 'added');
    else if (last.object !== next.object) add(next, 'changed');
  }
  for (const [key, last] of before) if (!after.has(key)) add(last, 'removed');
  return found;
}
