// What is remembered of policy between snapshots must never show: each workload's resources are those of a computation that remembers
// nothing, since it sees copies of all objects.
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { toBinary } from '@bufbuild/protobuf';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { parseIdentity } from '../../ca/revocation/revocation.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { discoveredSecurity, extensionResources } from '../../xds/resources/security.ts';
import { findProxy } from '../../xds/resources/proxy.ts';
import { must } from '../ca/identity/must.ts';
import { CHANGE, changed, PORTS, snapshotOf, start, type State } from '../policy/changing-mesh.ts';

/** All that policy has to do with a workload, as text. */
function told(mesh: Snapshot, { revoked, keys }: State, one: Workload): unknown {
  const { security, extensions } = discoveredSecurity(mesh, one, revoked, keys);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return {
    extensions: [...extensionResources(extensions).values()].map(({ name, any }) => [name, hex(any)]),
    http: security.httpFilters().map((filter) => hex(toBinary(HttpFilterSchema, filter))),
    network: security.networkFilters().map((filter) => hex(toBinary(FilterSchema, filter))),
    modes: PORTS.map((number) => [
      security.mtlsMode(number),
      ...mesh.workloads.map((peer) => security.peerMtlsMode(peer, number)),
    ]),
    found: one.instances.map(({ name }) => {
      const identity = must(parseIdentity(`cluster.local/ns/${one.namespace}/sa/${one.serviceAccount}`));
      const found = findProxy(mesh, { kind: 'sidecar', namespace: one.namespace, pod: name, identity });
      return found.kind === 'found' ? found.proxy : found;
    }),
  };
}

describe('xds: what is remembered of policy', () => {
  it('never shows: after any changes all is as if worked out anew', function () {
    this.timeout(60_000);
    const property = fc.property(fc.array(CHANGE, { minLength: 5, maxLength: 40 }), (changes) => {
      let state = start();
      let number = 0;
      // Something to tell from the beginning.
      for (const space of [0, 1, 2, 3]) state = changed(state, { kind: 0, namespace: space, name: 0, choice: space, value: 2 });
      for (const change of changes) {
        state = changed(state, change);
        number += 1;
        const mesh = snapshotOf(state, number);
        const copy = structuredClone(state);
        const fresh = snapshotOf(copy, number);
        for (const [at, one] of mesh.workloads.entries()) {
          const twin = fresh.workloads[at];
          assert.ok(twin !== undefined);
          assert.deepEqual(
            told(mesh, state, one),
            told(fresh, copy, twin),
            `${one.namespace}/${one.name} after change ${number}`,
          );
        }
      }
    });
    fc.assert(property, { numRuns: 60, seed: 20261121 });
  });

  it('is the same object while nothing that counts changed, and shared by workloads for which the same counts', () => {
    let state = start();
    for (const [namespace, name] of [
      [1, 0],
      [1, 1],
      [2, 0],
    ] as const)
      state = changed(state, { kind: 0, namespace, name, choice: 0, value: 1 });
    state = changed(state, { kind: 8, namespace: 1, name: 0, choice: 0, value: 1 });
    const of = (mesh: Snapshot, at: number) => {
      const one = mesh.workloads[at];
      assert.ok(one !== undefined);
      return discoveredSecurity(mesh, one, state.revoked, state.keys);
    };
    const before = snapshotOf(state, 1);
    const [first, second, elsewhere] = [of(before, 0), of(before, 1), of(before, 2)];
    assert.equal(first.extensions, second.extensions);
    state = changed(state, { kind: 8, namespace: 2, name: 1, choice: 0, value: 1 });
    const after = snapshotOf(state, 2);
    assert.equal(of(after, 0), first);
    assert.notEqual(of(after, 2).extensions, elsewhere.extensions);
    assert.equal(extensionResources(of(after, 0).extensions), extensionResources(second.extensions));
  });
});
