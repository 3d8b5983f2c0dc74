import assert from 'node:assert/strict';
import { join } from 'node:path';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { acrossServices } from '../../../policy/rollout/behind-services.ts';
import { call, plain } from './scenario.ts';

const BOOKINFO = join(import.meta.dirname, '..', '..', '..', 'manifests', 'samples', 'bookinfo');

describe('a rollout learns of a Service', () => {
  const { snapshot } = loadMesh({ paths: [BOOKINFO] });
  const service = 'reviews.default.svc.cluster.local';
  const weekly = call({ destination: 'default/reviews-v1', service, port: 9080, path: '/reviews/{id}', count: 1 });
  const learned = (...calls: readonly ReturnType<typeof call>[]): readonly string[] =>
    acrossServices(calls, snapshot, 'default').calls.map(({ destination, path }) => `${destination} ${path ?? ''}`);

  it('that whoever called a workload behind it may be led to any of them, and says so', () => {
    assert.deepEqual(learned(weekly), [
      'default/reviews-v1 /reviews/{id}',
      'default/reviews-v2 /reviews/{id}',
      'default/reviews-v3 /reviews/{id}',
    ]);
    assert.deepEqual(acrossServices([weekly], snapshot, 'default').generalisations, [
      `${service} leads to any of default/reviews-v1, default/reviews-v2, default/reviews-v3: who called one of them through it may call all`,
    ]);
  });
  it('nothing new where all of them were called already, or there is one only', () => {
    const all = ['v1', 'v2', 'v3'].map((version) => ({ ...weekly, destination: `default/reviews-${version}` }));
    assert.deepEqual(acrossServices(all, snapshot, 'default'), { calls: all, generalisations: [] });
    assert.equal(
      learned({ ...weekly, destination: 'default/details-v1', service: 'details.default.svc.cluster.local' }).length,
      1,
    );
  });
  it('nothing of calls past it, that were refused, in plain text, or to another namespace', () => {
    for (const fields of [{ service: undefined }, { decision: 'DENY' as const }, { service: 'reviews.other.svc.cluster.local' }])
      assert.equal(learned({ ...weekly, ...fields }).length, 1);
    assert.equal(learned(plain({ destination: 'default/reviews-v1', service })).length, 1);
  });
});
