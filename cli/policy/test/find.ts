import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../../mesh/source/files.ts';
import { POLICY_TEST } from '../../../mesh/source/folder-entries.ts';

const DEEPEST = 32;

function below(folder: string, depth: number): readonly string[] {
  const entries: readonly Dirent[] = depth > DEEPEST ? [] : readdirSync(folder, { withFileTypes: true });
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const kind = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
      if (kind?.isDirectory() === true) return below(path, depth + 1);
      return kind?.isFile() === true && POLICY_TEST.test(entry.name) ? [path] : [];
    });
}

/** Files of tests: those named, and `*.policy-test.yaml` below the folders named. */
export function testFiles(paths: readonly string[]): { readonly files: readonly string[]; readonly missing: readonly string[] } {
  const files = new Set<string>();
  const missing: string[] = [];
  for (const path of paths) {
    try {
      if (path === '-' || !statSync(path).isDirectory()) files.add(path);
      else for (const file of below(path, 0)) files.add(file);
    } catch (cause) {
      missing.push(`${path}: ${reasonOf(cause)}`);
    }
  }
  return { files: [...files], missing };
}
