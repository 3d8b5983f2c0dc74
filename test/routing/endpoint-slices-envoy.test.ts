import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

const CALLER = '127.20.4.9';
/** By name: ready in the caller's zone, ready elsewhere, not ready, chosen by the selector but in no slice. */
const SERVERS = { near: '127.20.4.1', far: '127.20.4.2', unready: '127.20.4.3', unlisted: '127.20.4.4' } as const;

const node = (zone: string) => `
apiVersion: v1
kind: Node
metadata: {name: machine-${zone}, labels: {topology.kubernetes.io/region: here, topology.kubernetes.io/zone: ${zone}}}
---`;

const service = (name: string, spec: string, port: number) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {${spec === '' ? '' : `${spec}, `}ports: [{name: http, port: ${port}}]}
---`;

const pod = (name: string, address: string, labels: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: ${labels}}
spec: {containers: [{name: app}]}
status: {podIP: ${address}, phase: Running}
---`;

const mesh = (port: number) => `${node('a')}${node('b')}
${service('all', 'selector: {app: web}', port)}
${service('nearest', 'selector: {app: web}', port)}
${service('front', 'type: ExternalName, externalName: all.shop.svc.cluster.local', port)}
${['all', 'nearest']
  .map(
    (name) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints:
- {addresses: [${SERVERS.near}], nodeName: machine-a, zone: a, conditions: {ready: true}}
- {addresses: [${SERVERS.unready}], nodeName: machine-a, zone: a, conditions: {ready: false}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-2, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints: [{addresses: [${SERVERS.far}], nodeName: machine-b, zone: b}]
---`,
  )
  .join('')}
${service('named', '', port)}
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: named-1, namespace: shop, labels: {kubernetes.io/service-name: named}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints:
- {addresses: [${SERVERS.near}], targetRef: {kind: Pod, name: old, namespace: shop}}
- {addresses: [${SERVERS.far}], targetRef: {kind: Pod, name: new, namespace: shop}}
- {addresses: [${SERVERS.unlisted}], targetRef: {kind: Pod, name: gone, namespace: shop}}
---
${pod('old', SERVERS.near, '{version: v1}')}
${pod('new', SERVERS.far, '{version: v2}')}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: named, namespace: shop}
spec: {host: named, subsets: [{name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: named, namespace: shop}
spec:
  hosts: [named]
  http:
  - {match: [{uri: {prefix: /v2}}], route: [{destination: {host: named, subset: v2}}]}
  - {route: [{destination: {host: named}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: nearest, namespace: shop}
spec: {host: nearest, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}
---
${pod('unlisted', SERVERS.unlisted, '{app: web}')}
apiVersion: v1
kind: Pod
metadata:
  name: caller
  namespace: shop
  annotations: {gatehouse.dev/capture: explicit, gatehouse.dev/app-address: ${CALLER}}
spec: {nodeName: machine-a, containers: [{name: app}]}
status: {podIP: 127.20.4.8, phase: Running}
---`;

describe('EndpointSlices and aliases in the real Envoy', () => {
  const upstreams: Upstream[] = [];
  let envoy: Envoy | undefined;
  let folder = '';
  let port = 0;

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    port = await freePort();
    for (const [name, address] of Object.entries(SERVERS)) upstreams.push(await startUpstream(name, address, port));
    const compiled = compiledFor(snapshotOf(mesh(port)), 'shop/caller');
    envoy = await startStaticProxy({ envoy: path, compiled, folder, account: 'shop/default' });
  });

  after(async () => {
    await envoy?.stop();
    await Promise.all(upstreams.map((one) => one.close()));
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  const servers = async (host: string, path = '/'): Promise<readonly (string | undefined)[]> => {
    const seen = new Set<string | undefined>();
    for (let times = 0; times < 40; times++) seen.add((await call(undefined, CALLER, 15_001, `${host}:${port}`, path)).server);
    return [...seen].sort();
  };

  it('those that are ready are called, of every slice, and nobody whom only the selector gives', async () => {
    assert.deepEqual(await servers('all'), ['far', 'near']);
  });

  it('those of the caller’s zone are called as long as they are well', async () => {
    assert.deepEqual(await servers('nearest'), ['near']);
  });

  it('an endpoint that is a Pod has its labels, and is nobody while there is no such Pod', async () => {
    assert.deepEqual(await servers('named'), ['far', 'near']);
    assert.deepEqual(await servers('named', '/v2'), ['far']);
  });

  it('an ExternalName Service that points into the mesh leads to the same', async () => {
    for (const host of ['front', 'front.shop.svc.cluster.local']) assert.deepEqual(await servers(host), ['far', 'near'], host);
  });
});
