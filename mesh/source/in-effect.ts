import type { Admitted } from '../admit/mesh-object.ts';
import { sameContent } from '../admit/node.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Claims } from './claims.ts';

export interface EffectiveChange {
  readonly upserts: readonly Admitted[];
  readonly removed: readonly string[];
}

/**
 * What is in effect: what the files say now, and of what they said before each object that is now refused, or that may
 * stand in a part of its file which cannot be read. An object is dropped only when its file can be read and does not have it.
 */
export class InEffect {
  readonly #objects = new Map<string, Admitted>();
  /** Keys of objects whose last good version was kept, by file. */
  readonly #kept = new Map<string, Set<string>>();

  /** The objects of a file that are kept: whether they still are has to be asked when the file changes. */
  keptIn(file: string): Iterable<string> {
    return this.#kept.get(file) ?? [];
  }

  /**
   * @param keys of which the files may say something else
   * @param isUnclear whether a part of a file cannot be read
   * @param fresh objects that read the same may mean something else
   * @param files those whose kept objects may be others are added
   */
  settle(
    keys: Iterable<string>,
    claims: Claims,
    isUnclear: (file: string) => boolean,
    fresh: boolean,
    files: Set<string>,
  ): EffectiveChange {
    const upserts: Admitted[] = [];
    const removed: string[] = [];
    for (const key of keys) {
      const last = this.#objects.get(key);
      const claim = claims.first(key);
      if (last !== undefined && this.#release(last)) files.add(last.file);
      if (claim !== undefined) {
        const next = fresh ? claim : asBefore(claim, last);
        if (next === last) continue;
        this.#objects.set(key, next);
        upserts.push(next);
      } else if (last !== undefined && (claims.isRefused(key) || isUnclear(last.file))) {
        const kept = this.#kept.get(last.file) ?? new Set();
        this.#kept.set(last.file, kept.add(key));
        files.add(last.file);
      } else if (last !== undefined) {
        this.#objects.delete(key);
        removed.push(key);
      }
    }
    return { upserts, removed };
  }

  #release({ file, key }: Admitted): boolean {
    const kept = this.#kept.get(file);
    const was = kept?.delete(key) === true;
    if (kept?.size === 0) this.#kept.delete(file);
    return was;
  }

  lastGoodIn(file: string): readonly Diagnostic[] {
    return [...this.keptIn(file)].sort().flatMap((key): readonly Diagnostic[] => {
      const last = this.#objects.get(key);
      if (last === undefined) return [];
      return [
        {
          file,
          line: last.line,
          object: key,
          severity: 'info',
          code: 'last-good',
          message: 'its last good version stays in effect',
          hint: 'correct the file',
        },
      ];
    });
  }
}

/** An object that was written again, or only moved, keeps its identity, so that nothing is compiled anew. */
function asBefore(next: Admitted, last: Admitted | undefined): Admitted {
  if (last === undefined || last.object === next.object || last.file !== next.file) return next;
  return sameContent(last.node, next.node) ? { ...next, object: last.object } : next;
}
