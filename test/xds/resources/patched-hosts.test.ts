// Changes that are patched into a view, and that once left a virtual host as it was.
import assert from 'node:assert/strict';
import { admit } from '../../../mesh/admit/admit.ts';
import type { Admitted } from '../../../mesh/admit/mesh-object.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { documentsOf } from '../../../mesh/source/load.ts';
import { ROUTES, VIRTUAL_HOST } from '../../../xds/resource-set.ts';
import { snapshotResources, type SnapshotResources } from '../../../xds/resources/source.ts';

const CALLER = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: caller, namespace: a}
---
apiVersion: v1
kind: Pod
metadata:
  name: caller
  namespace: a
  annotations: {gatehouse.dev/capture: explicit, gatehouse.dev/app-address: 127.0.0.1, gatehouse.dev/bind-address: 127.1.0.1}
spec: {serviceAccountName: caller, containers: [{name: app, image: x}]}
status: {podIP: 127.1.0.1, phase: Running}
`;
const ROUTE = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: route, namespace: b}
spec:
  hosts: [alias.c.svc.cluster.local]
  http: [{route: [{destination: {host: alias.c.svc.cluster.local}}]}]
`;
const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: c}
spec: {type: ExternalName, externalName: else.test, ports: [{port: 80, name: http}]}
`;

const PLAIN = (port: number): string => `
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: b}
spec: {clusterIP: 10.0.1.1, ports: [{port: ${port}, name: http}]}
`;
const BESIDE = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: first, namespace: a}
spec: {hosts: [plain.b.svc.cluster.local], exportTo: [.], http: [{route: [{destination: {host: plain.b.svc.cluster.local}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: second, namespace: b}
spec: {hosts: [plain, nobody.test], http: [{route: [{destination: {host: plain}}]}]}
`;

function admitted(yaml: string): readonly Admitted[] {
  const found = admit(documentsOf('in.yaml', yaml).documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  assert.deepEqual(found.diagnostics, []);
  return found.admitted;
}

function hostsOf(source: SnapshotResources): Readonly<Record<string, string>> {
  const answer = source.resourcesFor({ kind: 'sidecar', namespace: 'a', pod: 'caller', identity: undefined }, 'delta');
  assert.ok(answer.kind === 'found', answer.kind);
  return Object.fromEntries([...(answer.set.get(VIRTUAL_HOST) ?? [])].map(([name, { version }]) => [name, version]));
}

/** Snapshots one after another, each made from the one before, and what the last of them is to a control plane that just started. */
function world() {
  let last: Snapshot | undefined;
  const bundle = { generation: 1, rootsPem: 'roots\n' };
  return {
    bundle,
    snapshot: (...objects: readonly (readonly Admitted[])[]): Snapshot => {
      last = buildSnapshot(objects.flat(), DEFAULT_MESH_CONFIG, (last?.number ?? 0) + 1, last).snapshot;
      return last;
    },
    fresh: () => hostsOf(snapshotResources(structuredClone(last ?? assert.fail()), bundle)),
  };
}

describe('virtual hosts after a change that is patched in', () => {
  const caller = admitted(CALLER);

  it('of a service that was the host of a VirtualService, when that goes', () => {
    const [route, service] = [admitted(ROUTE), admitted(SERVICE)];
    const { snapshot, fresh, bundle } = world();
    const source = snapshotResources(snapshot(caller, route), bundle);
    const named = hostsOf(source);
    source.publish(snapshot(caller, route, service));
    assert.deepEqual(hostsOf(source), named, 'the same bytes, else nothing is tried here');
    source.publish(snapshot(caller, service));
    assert.deepEqual(hostsOf(source), fresh());
  });

  it('of a host beside a service whose ports change, where another VirtualService routes that service', () => {
    const routes = admitted(BESIDE);
    const [before, after] = [80, 8081].map((port) => admitted(PLAIN(port)));
    assert.ok(before && after);
    const { snapshot, fresh, bundle } = world();
    const source = snapshotResources(snapshot(caller, routes, before), bundle);
    assert.ok('http_proxy/nobody.test:80' in hostsOf(source));
    source.publish(snapshot(caller, routes, after));
    assert.deepEqual(hostsOf(source), fresh());
    assert.ok('http_proxy/nobody.test:8081' in hostsOf(source));
  });

  it('are in the routes of an Envoy that cannot take them apart', () => {
    const { snapshot, bundle } = world();
    const source = snapshotResources(snapshot(caller, admitted(BESIDE), admitted(PLAIN(80))), bundle);
    const claim = { kind: 'sidecar', namespace: 'a', pod: 'caller', identity: undefined } as const;
    const old = source.resourcesFor({ ...claim, hostsInline: true }, 'delta');
    const sotw = source.resourcesFor(claim, 'sotw');
    assert.ok(old.kind === 'found' && sotw.kind === 'found');
    assert.equal(old.set.get(VIRTUAL_HOST)?.size ?? 0, 0);
    const versions = ({ set }: typeof old) => [...(set.get(ROUTES) ?? [])].map(([name, { version }]) => [name, version]);
    assert.ok(versions(old).length > 0);
    assert.deepEqual(versions(old), versions(sotw));
  });
});
