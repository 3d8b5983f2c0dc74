import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** How codes are written in the source: as the argument of a report, as a field, or in a list of what is wrong with a value. */
const WRITTEN = Object.freeze([
  /\.(?:error|warning)\(\s*'([a-z-]+)'/g,
  /'(?:error|warning)',\s*[\w.]+,\s*[^\n,]+,\s*'([a-z]+(?:-[a-z]+)+)',/g,
  /code:\s*'([a-z-]+)'/g,
  /'(?:error|warning|info)',\s*'([a-z]+(?:-[a-z]+)*)',/g,
  /\[\s*'([a-z]+(?:-[a-z]+)+)',\s*[`'A-Za-z]/g,
  /\? '([a-z]+(?:-[a-z]+)+)' : '[a-z]+(?:-[a-z]+)+',/g,
  /\? '[a-z]+(?:-[a-z]+)+' : '([a-z]+(?:-[a-z]+)+)',/g,
]);

function codesInSource(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const folder of ['mesh', 'policy/diagnose', 'cli/up', 'cli/input']) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const text = readFileSync(join(ROOT, folder, name), 'utf8');
      for (const pattern of WRITTEN) for (const [, code = ''] of text.matchAll(pattern)) found.add(code);
    }
  }
  return found;
}

function codesOnPage(): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs/diagnostics.md'), 'utf8');
  return [...page.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, code = '']) => code);
}

describe('the page about diagnostics', () => {
  it('has every code of the source, each once, and no other', () => {
    const page = codesOnPage();
    const source = codesInSource();
    assert.deepEqual([...new Set(page)].sort(), [...page].sort(), 'a code stands on the page twice');
    assert.deepEqual(
      [...source].filter((code) => !page.includes(code)),
      [],
      'not on docs/diagnostics.md',
    );
    assert.deepEqual(
      page.filter((code) => !source.has(code)),
      [],
      'on docs/diagnostics.md, and nowhere in the source',
    );
  });
});
