import assert from 'node:assert/strict';
import { type Pending, pendingOfAll } from '../../../kubernetes/replicas/aggregate.ts';
import type { OtherReplica } from '../../../kubernetes/replicas/replicas.ts';
import type { ReportedObject } from '../../../kubernetes/replicas/report.ts';

const PLACE = 'virtualservices.networking.istio.io/shop/web';
const OWN: Pending = { proxies: 2, objects: new Map() };
const replica = (
  objects: readonly ReportedObject[],
  change: Partial<OtherReplica> = {},
  configuration = 'now',
  more = false,
): OtherReplica => ({
  id: 'two',
  pod: '',
  revision: 'default',
  address: '',
  present: true,
  report: {
    answers: '',
    configuration,
    proxies: 3,
    objects,
    more,
    records: undefined,
    rollouts: {},
    rotation: { state: '', bundle: '', settled: true, behind: [], connected: [], nodes: [] },
    log: undefined,
  },
  ...change,
});
const all = (...others: readonly OtherReplica[]) =>
  pendingOfAll(OWN, others, 'default', (since) =>
    since === 'now' ? new Set() : since === 'before' ? new Set([PLACE]) : undefined,
  );

describe('how far objects have come among the proxies of all replicas', () => {
  it('adds up, and names who lags anywhere', () => {
    const found = all(replica([{ place: PLACE, applied: 2, lagging: ['web-3.shop'], rejectedBy: [] }]));
    assert.equal(found?.proxies, 5);
    assert.deepEqual(found.objects.get(PLACE), { applied: 4, of: 5, lagging: ['web-3.shop'], rejectedBy: [] });
  });

  it('takes nobody for programmed with what that replica has not seen', () => {
    assert.equal(all(replica([], {}, 'before'))?.objects.get(PLACE)?.applied, 2);
  });

  it('is not known while a replica has said nothing, too much, or speaks of what is not known here', () => {
    assert.equal(all(replica([], { report: undefined })), undefined);
    assert.equal(all(replica([], {}, 'now', true)), undefined);
    assert.equal(all(replica([], {}, 'elsewhere')), undefined);
    assert.equal(all(replica([], { revision: 'canary' }, 'elsewhere'))?.proxies, 5);
  });

  it('leaves out who is gone', () => {
    assert.equal(all(replica([], { present: false }))?.proxies, 2);
  });
});
