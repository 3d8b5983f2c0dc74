import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { casesOf } from '../policy/corpora/corpus.ts';
import { listed } from '../policy/corpora/judged.ts';
import { RUN, THEME } from './corpus-units.ts';
import './corpus-units-clusters.test.ts';
import './corpus-units-names.test.ts';
import './corpus-units-routes.test.ts';
import './corpus-units-sidecar.test.ts';
import './corpus-units-tls.test.ts';
import './corpus-units-traffic.test.ts';

/** Run by delegates.test.ts. */
const ELSEWHERE = ['TestMergeHttpRoutes', 'TestMergeHTTPMatchRequests'];

describe('corpus: routing units', () => {
  it('are all run, or listed by id or by table on the page of divergences', function () {
    const rows = casesOf<{ readonly id: string; readonly table: string }>(THEME);
    if (rows.length === 0) this.skip();
    const page = readFileSync(join(import.meta.dirname, '../../docs/divergences.md'), 'utf8');
    const section = page.slice(page.indexOf('## Routing'), page.indexOf('## Authorization'));
    const tables = new Set([...section.matchAll(/\bTest[A-Za-z0-9]+\b/g)].map(([name]) => name));
    const ids = listed(THEME);
    const missing = rows.filter(
      ({ id, table }) => !RUN.has(id) && !ids.has(id) && !tables.has(table) && !ELSEWHERE.includes(table),
    );
    assert.deepEqual(
      missing.map(({ id }) => id),
      [],
      'neither run nor listed',
    );
    assert.deepEqual(
      [...ids].filter((id) => !rows.some((row) => row.id === id)),
      [],
      'listed, but no row',
    );
    const all = new Set(rows.map(({ table }) => table));
    assert.deepEqual(
      [...tables].filter((name) => !all.has(name)),
      [],
      'a table that is not there',
    );
  });
});
