import type { Diagnostic } from '../model/diagnostic.ts';
import { lineAt } from './node-path.ts';
import type { Written } from './written.ts';
import type { WrittenObjects } from './written-objects.ts';

const known = new WeakMap<Diagnostic, { readonly one: Written; readonly located: Diagnostic }>();

/**
 * Gives findings that know their object and field the place where that field is written now. (What is derived from the
 * model knows only where the object stood when it was read.)
 */
export function located(found: readonly Diagnostic[], written: WrittenObjects): readonly Diagnostic[] {
  return found.map((diagnostic) => {
    const one = diagnostic.object === undefined ? undefined : written.named(diagnostic.object);
    if (one === undefined) return diagnostic;
    const before = known.get(diagnostic);
    if (before?.one === one) return before.located;
    const line = lineAt(one.node, diagnostic.field ?? '') + one.offset;
    const made = { ...diagnostic, file: one.file, line };
    known.set(diagnostic, { one, located: made });
    return made;
  });
}
