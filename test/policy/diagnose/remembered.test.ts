import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { policyDiagnostics, policyDiagnosticsByPart } from '../../../policy/diagnose/policy-diagnostics.ts';
import { CHANGE, changed, snapshotOf, start } from '../changing-mesh.ts';

const told = (found: ReturnType<typeof policyDiagnostics>): readonly string[] => found.map((one) => JSON.stringify(one)).sort();

describe('policy, what is remembered of findings', () => {
  it('never shows: after any changes all is found as if for the first time', function () {
    this.timeout(60_000);
    const property = fc.property(fc.array(CHANGE, { minLength: 5, maxLength: 40 }), (changes) => {
      let state = start();
      // A mesh, not a fragment of one.
      for (const namespace of [0, 1, 2]) state = changed(state, { kind: 0, namespace, name: 0, choice: namespace, value: 1 });
      for (const [at, change] of changes.entries()) {
        state = changed(state, change);
        const fresh = structuredClone(snapshotOf(state, at));
        assert.deepEqual(told(policyDiagnostics(snapshotOf(state, at))), told(policyDiagnostics(fresh)), `after change ${at}`);
      }
    });
    fc.assert(property, { numRuns: 60, seed: 20261121 });
  });

  it('looks only into the namespace that changed', () => {
    let state = start();
    for (const namespace of [1, 2, 3]) {
      state = changed(state, { kind: 0, namespace, name: 0, choice: 0, value: 1 });
      for (const name of [0, 1]) state = changed(state, { kind: 8, namespace, name, choice: 2, value: 1 });
    }
    assert.equal([...policyDiagnosticsByPart(snapshotOf(state, 1))].length, 5);
    assert.equal([...policyDiagnosticsByPart(snapshotOf(state, 2))].length, 1);
    state = changed(state, { kind: 8, namespace: 2, name: 0, choice: 2, value: 2 });
    assert.equal([...policyDiagnosticsByPart(snapshotOf(state, 3))].length, 2);
  });
});
