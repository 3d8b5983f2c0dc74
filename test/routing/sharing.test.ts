import assert from 'node:assert/strict';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { documentsOf } from '../../mesh/source/load.ts';
import type { CompiledProxy } from '../../routing/compile.ts';
import { compiledFor } from './compiled.ts';

const workload = (name: string, namespace: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec: {template: {metadata: {labels: {app: ${name}}}, spec: {containers: [{name: app, ports: [{containerPort: 8000}]}]}}}
---`;

const rule = (weight: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one, namespace: here}
spec:
  hosts: [one]
  http: [{route: [{destination: {host: one}, weight: ${weight}}, {destination: {host: two}, weight: 10}]}]
---`;

const labelled = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: two, namespace: here}
spec:
  hosts: [two]
  http: [{match: [{sourceLabels: {app: one}}], route: [{destination: {host: one}}]}, {route: [{destination: {host: two}}]}]
---`;

const BASE = workload('one', 'here') + workload('two', 'here') + workload('three', 'there');

/** Objects whose text did not change keep their identity, as the watching source has it. */
function snapshots(...texts: readonly string[]): readonly Snapshot[] {
  const known = new Map<string, ReturnType<typeof admit>['admitted']>();
  const admitted = (part: string) => {
    const before = known.get(part);
    if (before !== undefined) return before;
    const made = admit(documentsOf('in.yaml', part).documents, {
      meshConfig: DEFAULT_MESH_CONFIG,
      defaultNamespace: 'default',
    }).admitted;
    known.set(part, made);
    return made;
  };
  let previous: Snapshot | undefined;
  return texts.map((text, number) => {
    const objects = text.split('---').flatMap(admitted);
    const { snapshot } = buildSnapshot(objects, DEFAULT_MESH_CONFIG, number, previous, { assumePods: true });
    previous = snapshot;
    return snapshot;
  });
}

function first(list: readonly Snapshot[], at = 0): Snapshot {
  const found = list[at];
  assert.ok(found !== undefined);
  return found;
}

function cluster(compiled: CompiledProxy, name: string) {
  const found = compiled.clusters.find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

describe('what proxies share', () => {
  const ONE = 'outbound|8000||one.here.svc.cluster.local';
  const TWO = 'outbound|8000||two.here.svc.cluster.local';

  it('is the same object for all that see the same', () => {
    const snapshot = first(snapshots(BASE + rule(90)));
    const [one, two, three] = ['here/one', 'here/two', 'there/three'].map((name) => compiledFor(snapshot, name));
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    assert.equal(cluster(one, ONE), cluster(two, ONE));
    assert.equal(cluster(one, ONE), cluster(three, ONE));
    assert.equal(one.routes[0], two.routes[0]);
    assert.notEqual(one.routes[0], three.routes[0]);
  });

  it('stays when something else changes, and goes when its own inputs do', () => {
    const list = snapshots(
      BASE + rule(90),
      BASE + rule(50),
      BASE.replace('containerPort: 8000', 'containerPort: 8001') + rule(50),
    );
    const [before, weights, ports] = [0, 1, 2].map((at) => compiledFor(first(list, at), 'there/three'));
    assert.ok(before !== undefined && weights !== undefined && ports !== undefined);
    assert.equal(cluster(before, ONE), cluster(weights, ONE));
    assert.notDeepEqual(before.routes, weights.routes);
    assert.notEqual(cluster(weights, ONE), cluster(ports, ONE));
    assert.equal(cluster(weights, TWO), cluster(ports, TWO));
  });

  it('is not shared between callers whose labels a VirtualService tells apart', () => {
    const snapshot = first(snapshots(BASE + labelled));
    const [one, two] = ['here/one', 'here/two'].map((name) => compiledFor(snapshot, name));
    assert.notDeepEqual(one?.routes, two?.routes);
  });
});
