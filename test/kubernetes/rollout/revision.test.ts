import assert from 'node:assert/strict';
import { wantedRevision } from '../../../kubernetes/rollout/revision.ts';

describe('which revision decides about a rollout', () => {
  for (const [rollout, namespace, wanted] of [
    [{}, {}, 'default'],
    [{}, { 'istio-injection': 'enabled' }, 'default'],
    [{}, { 'istio.io/rev': '1-1' }, '1-1'],
    [{}, { 'gatehouse.dev/rev': 'prod' }, 'prod'],
    [{ 'gatehouse.dev/rev': '1-0' }, { 'istio.io/rev': '1-1' }, '1-0'],
    [{ 'istio.io/rev': '1-0', 'gatehouse.dev/rev': '1-2' }, {}, '1-0'],
  ] as const)
    it(`${JSON.stringify(rollout)} in a namespace with ${JSON.stringify(namespace)}: ${wanted}`, () => {
      assert.equal(wantedRevision(rollout, namespace), wanted);
    });
});
