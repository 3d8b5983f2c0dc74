import assert from 'node:assert/strict';
import { inboundPorts } from '../../routing/listeners/inbound-ports.ts';
import { endpointsIn, serversIn } from './compiled-endpoints.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { clientIn } from './workloads.ts';

const MESH = `${clientIn('shop')}
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: bare, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: tcp, port: 90}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all, namespace: shop}
spec:
  host: "*.shop.svc.cluster.local"
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}
---`;

const pod = (name: string, address: string, more = '', spec = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: db, ${more}}}
spec: {serviceAccountName: ${name}, containers: [{name: app}], ${spec}}
status: {podIP: ${address}, phase: Running}
---`;

const node = (name: string, labels: string) => `
apiVersion: v1
kind: Node
metadata: {name: ${name}, labels: {${labels}}}
---`;

const slice = (name: string, service: string, ports: string, endpoints: string, type = 'IPv4') => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: shop, labels: {kubernetes.io/service-name: ${service}}}
addressType: ${type}
ports: [${ports}]
endpoints: [${endpoints}]
---`;

const HTTP = '{name: http, port: 8080}';

const endpointsOf = (yaml: string, service: string, port = 80): readonly string[] =>
  endpointsIn(
    compiledFor(snapshotOf(MESH + yaml), 'shop/client'),
    (name) => name === `outbound|${port}||${service}.shop.svc.cluster.local`,
  );
const serversOf = (yaml: string, service: string): readonly string[] =>
  serversIn(compiledFor(snapshotOf(MESH + yaml), 'shop/client'), `${service}.shop.svc.cluster.local`);

describe('EndpointSlices', () => {
  it('win over what the selector gives, as far as they are ready', () => {
    const yaml =
      pod('one', '10.1.0.1') +
      pod('two', '10.1.0.2') +
      slice(
        'db-1',
        'db',
        HTTP,
        `{addresses: [10.1.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: one}},
         {addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}, targetRef: {kind: Pod, name: two}},
         {addresses: [10.1.0.3]}`,
      );
    assert.deepEqual(endpointsOf(yaml, 'db'), ['10.1.0.1:8080', '10.1.0.3:8080']);
    assert.deepEqual(endpointsOf(pod('one', '10.1.0.1') + pod('two', '10.1.0.2'), 'db'), ['10.1.0.1:8080', '10.1.0.2:8080']);
  });

  it('that are empty mean that there is nobody', () => {
    assert.deepEqual(endpointsOf(pod('one', '10.1.0.1') + slice('db-1', 'db', HTTP, ''), 'db'), []);
  });

  it('are read together, each address once, with ports by name', () => {
    const yaml =
      slice('b-1', 'bare', '{name: http, port: 8080}', '{addresses: [10.1.0.1]}') +
      slice('b-2', 'bare', '{name: tcp, port: 9090}', '{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}') +
      slice('b-3', 'bare', '{name: http, port: 8080}', '{addresses: ["fd00::1"]}', 'IPv6') +
      slice('b-4', 'bare', '{name: http, port: 8080}', '{addresses: [vm.example.org]}', 'FQDN') +
      slice('other', 'other', '{name: http, port: 8080}', '{addresses: [10.1.0.9]}');
    assert.deepEqual(endpointsOf(yaml, 'bare'), ['10.1.0.1:8080', 'fd00::1:8080']);
    assert.deepEqual(endpointsOf(yaml, 'bare', 90), ['10.1.0.1:9090', '10.1.0.2:9090']);
  });

  it('that name a Pod have its identity; without that Pod nothing is known of it', () => {
    const yaml =
      pod('meshed', '10.1.0.1', 'security.istio.io/tlsMode: istio') +
      slice(
        'bare-1',
        'bare',
        HTTP,
        `{addresses: [10.1.0.1], targetRef: {kind: Pod, name: meshed}}, {addresses: [10.1.0.2], targetRef: {kind: Pod, name: gone}},
         {addresses: [10.1.0.3]}`,
      );
    assert.deepEqual(endpointsOf(yaml, 'bare'), ['10.1.0.1:8080 mtls', '10.1.0.3:8080']);
    assert.deepEqual(serversOf(yaml, 'bare'), ['spiffe://cluster.local/ns/shop/sa/meshed']);
    const snapshot = snapshotOf(MESH + yaml);
    const workload = snapshot.workloads.find(({ name }) => name === 'meshed');
    assert.ok(workload !== undefined);
    const ports = inboundPorts(snapshot, workload).map(({ port, protocol }) => `${port} ${protocol}`);
    assert.ok(ports.includes('8080 http'), ports.join());
  });

  it('have the place of their Pod, its Node, their own Node, or their zone', () => {
    const yaml =
      node('east', 'topology.kubernetes.io/region: east, topology.kubernetes.io/zone: east-1') +
      node('old', 'failure-domain.beta.kubernetes.io/region: west, failure-domain.beta.kubernetes.io/zone: west-1') +
      pod('labelled', '10.1.0.1', 'istio-locality: north.n1', 'nodeName: east') +
      pod('on-node', '10.1.0.2', '', 'nodeName: east') +
      slice(
        'bare-1',
        'bare',
        HTTP,
        `{addresses: [10.1.0.1], targetRef: {kind: Pod, name: labelled}}, {addresses: [10.1.0.2], targetRef: {kind: Pod, name: on-node}},
         {addresses: [10.1.0.3], nodeName: old}, {addresses: [10.1.0.4], zone: east-1}, {addresses: [10.1.0.5], zone: moon}`,
      );
    assert.deepEqual(endpointsOf(yaml, 'bare'), [
      '10.1.0.1:8080 north/n1',
      '10.1.0.2:8080 east/east-1',
      '10.1.0.3:8080 west/west-1',
      '10.1.0.4:8080 east/east-1',
      '10.1.0.5:8080 /moon',
    ]);
    assert.deepEqual(endpointsOf(yaml, 'db'), ['10.1.0.1:8080 north/n1', '10.1.0.2:8080 east/east-1']);
  });

  it('go before the older kind Endpoints, which alone says the same', () => {
    const older = `
apiVersion: v1
kind: Endpoints
metadata: {name: bare, namespace: shop}
subsets:
- addresses: [{ip: 10.3.0.1}]
  notReadyAddresses: [{ip: 10.3.0.2}]
  ports: [{name: http, port: 8081}]
---`;
    assert.deepEqual(endpointsOf(older, 'bare'), ['10.3.0.1:8081']);
    assert.deepEqual(endpointsOf(older + slice('b-1', 'bare', HTTP, '{addresses: [10.1.0.1]}'), 'bare'), ['10.1.0.1:8080']);
  });

  it('are not needed where a Service publishes Pods that are not ready', () => {
    const unready = (name: string, address: string) =>
      pod(name, address).replace('phase: Running', 'phase: Running, conditions: [{type: Ready, status: "False"}]');
    const yaml = unready('one', '10.1.0.1');
    assert.deepEqual(endpointsOf(yaml, 'db'), []);
    const published = `
apiVersion: v1
kind: Service
metadata: {name: early, namespace: shop}
spec: {selector: {app: db}, publishNotReadyAddresses: true, ports: [{name: http, port: 80, targetPort: 8080}]}
---`;
    assert.deepEqual(endpointsOf(yaml + published, 'early'), ['10.1.0.1:8080']);
  });
});
