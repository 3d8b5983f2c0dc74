import type { Admitted } from '../admit/mesh-object.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { FileContent } from './file-cache.ts';

export interface Merged {
  readonly objects: readonly Admitted[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * What is in effect: what the files say now, and of what they said before each object that is now refused, or that may
 * stand in a part of its file which cannot be read. An object is dropped only when its file can be read and does not have it.
 * @param before what was in effect so far, by key
 */
export function withLastGood(files: ReadonlyMap<string, FileContent>, before: ReadonlyMap<string, Admitted>): Merged {
  const contents = [...files.values()];
  const now = contents.flatMap((content) => content.admitted);
  const seen = new Set(now.map((object) => object.key));
  const kept = new Map<string, Admitted>();
  for (const { key } of contents.flatMap((content) => content.refused)) {
    const last = key === undefined || seen.has(key) ? undefined : before.get(key);
    if (last !== undefined) kept.set(last.key, last);
  }
  const unclear = new Set(
    [...files]
      .filter(([, content]) => content.obscured || content.refused.some(({ key }) => key === undefined))
      .map(([file]) => file),
  );
  for (const last of before.values()) {
    if (!seen.has(last.key) && unclear.has(last.file)) kept.set(last.key, last);
  }
  const diagnostics = [...kept.values()].map((last): Diagnostic => ({
    file: last.file,
    line: last.line,
    object: last.key,
    severity: 'info',
    code: 'last-good',
    message: 'its last good version stays in effect',
    hint: 'correct the file',
  }));
  return { objects: [...now, ...kept.values()], diagnostics };
}
