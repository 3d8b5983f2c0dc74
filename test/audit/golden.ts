import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../golden/audit/', import.meta.url));
const used = new Set<string>();

/** Compares a text with its golden file; with UPDATE_GOLDEN=1 rewrites the file. */
export function matchesGolden(name: string, text: string): void {
  used.add(name);
  const file = join(FOLDER, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, existsSync(file) ? readFileSync(file, 'utf8') : '', `${name} differs; UPDATE_GOLDEN=1 rewrites it`);
}

/** Golden files of a folder that no test asked for. */
export function orphans(folder = ''): readonly string[] {
  const files = readdirSync(join(FOLDER, folder), { withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ name }) => join(folder, name)).filter((name) => !used.has(name) && !name.startsWith('.'));
}
