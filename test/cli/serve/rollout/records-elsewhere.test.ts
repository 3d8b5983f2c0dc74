import assert from 'node:assert/strict';
import { recordsElsewhere, storeName, stuckStore } from '../../../../cli/serve/rollout/records-elsewhere.ts';
import type { OtherReplica } from '../../../../kubernetes/replicas/replicas.ts';
import { parseReport } from '../../../../kubernetes/replicas/report.ts';

const SHARED = 'postgres://db.example/audit';

function other(id: string, records: object | undefined, present = true): OtherReplica {
  const said = { proxies: 1, rotation: {}, objects: [], more: false, ...(records !== undefined && { records }) };
  return { id, pod: '', revision: '', address: '', present, report: parseReport(JSON.stringify(said)) };
}

describe('records of other replicas', () => {
  it('are all there where each has the same store, and it takes them', () => {
    assert.equal(recordsElsewhere(SHARED, []), undefined);
    assert.equal(recordsElsewhere(SHARED, [other('b', { store: SHARED }), other('c', { store: SHARED })]), undefined);
  });

  it('are elsewhere where one has another store, also a database of its own', () => {
    for (const store of ['postgres://other.example/audit', storeName({ engine: 'sqlite', file: '/audit.db' })]) {
      const found = recordsElsewhere(SHARED, [other('b', { store: SHARED }), other('c', { store })]);
      assert.equal(found?.apart, true);
      assert.match(found.reason, /each with records of its own/);
    }
  });

  it('of a file are nobody else’s, though it is called the same', () => {
    const file = { engine: 'sqlite', file: '/audit.db' } as const;
    assert.notEqual(storeName(file), storeName(file));
  });

  it('are missing while the store of one takes none, or it has not said', () => {
    const stuck = recordsElsewhere(SHARED, [other('b', { store: SHARED, stuck: 'the audit store takes no records (3 wait)' })]);
    assert.deepEqual(stuck, { apart: false, reason: 'replica b: the audit store takes no records (3 wait)' });
    assert.match(recordsElsewhere(SHARED, [other('b', undefined)])?.reason ?? '', /replica b does not say yet/);
  });

  it('do not count of who is gone', () => {
    assert.equal(recordsElsewhere(SHARED, [other('b', { store: 'file of its own' }, false)]), undefined);
  });

  it('are stuck when none of what waits was taken for ten seconds', () => {
    let [now, written, waiting] = [0, 5, 1];
    const stats = (): { written: number; waiting: number } => ({ written, waiting });
    const stuck = stuckStore(stats, () => new Date(now));
    assert.equal(stuck(), undefined);
    now = 9_999;
    assert.equal(stuck(), undefined);
    now = 10_000;
    assert.equal(stuck(), 'the audit store takes no records (1 wait)');
    written = 6;
    assert.equal(stuck(), undefined);
    waiting = 0;
    now = 60_000;
    assert.equal(stuck(), undefined);
  });
});
