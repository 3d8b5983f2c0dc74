import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { casesOf } from './corpus.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const PAGE = join(DOCS, 'divergences.md');
/** Pages of one theme each, which the page of divergences links. */
const FOLDER = join(DOCS, 'divergences');

const pages = [PAGE, ...readdirSync(FOLDER).map((name) => join(FOLDER, name))].map((file) => readFileSync(file, 'utf8'));

/** The ids of a theme that docs/divergences.md and its pages list: answered differently on purpose, or not run. */
export function listed(theme: string): ReadonlySet<string> {
  const ids = pages.flatMap((text) => [...text.matchAll(/`([a-z0-9-]+)\/([^`]+)`/g)]);
  return new Set(ids.flatMap(([, where, id]) => (where === theme && id !== undefined ? [id] : [])));
}

/** One test for a case: it must be answered as its source does, or be listed, and then really be answered otherwise. */
export function judged(theme: string, id: string, decide: () => void): void {
  it(id, () => {
    if (!listed(theme).has(id)) return decide();
    return assert.throws(decide, `${id} is answered as its source does: take it off docs/divergences.md`);
  });
}

/** Every case of a theme is among those that are run, or listed; and nothing is listed that is no case. */
export function complete(theme: string, run: ReadonlySet<string>): void {
  it('every case is run or listed on the page of divergences', function () {
    const all = new Set(casesOf<{ readonly id: string }>(theme).map(({ id }) => id));
    if (all.size === 0) this.skip();
    const page = listed(theme);
    assert.deepEqual(
      [...all].filter((id) => !run.has(id) && !page.has(id)),
      [],
      'neither run nor listed',
    );
    assert.deepEqual(
      [...page].filter((id) => !all.has(id)),
      [],
      'listed, but no case',
    );
  });
}
