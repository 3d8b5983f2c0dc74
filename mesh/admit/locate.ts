import type { Diagnostic } from '../model/diagnostic.ts';
import { lineAt } from './node-path.ts';
import type { Written } from './written.ts';

/**
 * Gives findings that know their object and field the place where that field is written now. (What is derived from the
 * model knows only where the object stood when it was read.)
 */
export function located(found: readonly Diagnostic[], written: readonly Written[]): readonly Diagnostic[] {
  if (found.length === 0) return found;
  const objects = objectsIn(written);
  return found.map((diagnostic) => {
    const one = diagnostic.object === undefined ? undefined : objects.get(diagnostic.object);
    if (one === undefined) return diagnostic;
    const line = lineAt(one.node, diagnostic.field ?? '') + one.offset;
    return { ...diagnostic, file: one.file, line };
  });
}

const known = new WeakMap<readonly Written[], ReadonlyMap<string, Written>>();

/** By key; of two objects with one name the first is in effect. */
function objectsIn(written: readonly Written[]): ReadonlyMap<string, Written> {
  const before = known.get(written);
  if (before !== undefined) return before;
  const objects = new Map<string, Written>();
  for (const one of written) if (!objects.has(one.key)) objects.set(one.key, one);
  known.set(written, objects);
  return objects;
}
