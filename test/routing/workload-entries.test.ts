import assert from 'node:assert/strict';
import { endpointsIn, serversIn } from './compiled-endpoints.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { clientIn } from './workloads.ts';

const MESH = `${clientIn('shop')}
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [legacy.example.org]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: legacy}}
---
`;

const entry = (name: string, spec: string, namespace = 'shop'): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
---`;

const endpointsOf = (yaml: string, host: string): readonly string[] =>
  endpointsIn(compiledFor(snapshotOf(MESH + yaml), 'shop/client'), (name) => name.endsWith(`||${host}`));
const serversOf = (yaml: string, host: string): readonly string[] =>
  serversIn(compiledFor(snapshotOf(MESH + yaml), 'shop/client'), host);

describe('WorkloadEntries', () => {
  it('stand behind a Service as pods do, on its target port or their own', () => {
    const yaml =
      entry('one', 'address: 10.1.0.1, labels: {app: db}') +
      entry('two', 'address: 10.1.0.2, labels: {app: db, security.istio.io/tlsMode: istio}, ports: {http: 9000}, weight: 3') +
      entry('other', 'address: 10.1.0.3, labels: {app: other}') +
      entry('elsewhere', 'address: 10.1.0.4, labels: {app: db}', 'office');
    assert.deepEqual(endpointsOf(yaml, 'db.shop.svc.cluster.local'), ['10.1.0.1:8080', '10.1.0.2:9000 x3 mtls']);
  });

  it('stand behind a ServiceEntry that selects them, beside pods', () => {
    const pod = `
apiVersion: v1
kind: Pod
metadata: {name: legacy-pod, namespace: shop, labels: {app: legacy}}
spec: {containers: [{name: app}]}
status: {podIP: 10.2.0.1, phase: Running}
---`;
    const yaml = pod + entry('vm', 'address: 10.1.0.1, labels: {app: legacy}, ports: {http: 8081}');
    assert.deepEqual(endpointsOf(yaml, 'legacy.example.org'), ['10.1.0.1:8081', '10.2.0.1:80']);
  });

  it('give their service accounts to those who may answer', () => {
    const yaml = entry('vm', 'address: 10.1.0.1, serviceAccount: vm, labels: {app: db, security.istio.io/tlsMode: istio}');
    assert.deepEqual(serversOf(yaml, 'db.shop.svc.cluster.local'), ['spiffe://cluster.local/ns/shop/sa/vm']);
  });

  it('without an address are no endpoints', () => {
    const yaml = entry('named', 'address: vm.example.org, labels: {app: db}');
    assert.deepEqual(endpointsOf(yaml, 'db.shop.svc.cluster.local'), []);
  });
});
