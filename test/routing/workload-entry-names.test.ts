import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { parsePort } from '../../mesh/model/port.ts';
import { evaluateRoute } from '../../routing/evaluate/evaluate.ts';
import { compiledFor, proxyOf, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';
import { explicitPod } from './workloads.ts';

const APP = '127.20.7.9';
const BY_ADDRESS = '127.20.7.2';

const entry = (name: string, spec: string) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}, namespace: shop}
spec: {${spec}}
---`;

/** One entry is found by name at its own port, one has an address, one belongs to somebody else. */
const mesh = (service: number, own: number, resolution: string) => `${explicitPod('app', 'shop', '127.20.7.1', APP)}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [legacy.test]
  location: MESH_INTERNAL
  resolution: ${resolution}
  ports: [{number: ${service}, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: legacy}}
---${entry('named', `address: localhost, labels: {app: legacy, version: v1}, ports: {http: ${own}}`)}
${entry('numbered', `address: ${BY_ADDRESS}, labels: {app: legacy, version: v2}`)}
${entry('other', 'address: localhost, labels: {app: other}')}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy, namespace: shop}
spec: {host: legacy.test, subsets: [{name: v1, labels: {version: v1}}, {name: v3, labels: {version: v3}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [legacy.test]
  http:
  - {match: [{uri: {prefix: /v1}}], route: [{destination: {host: legacy.test, subset: v1}}]}
  - {match: [{uri: {prefix: /v3}}], route: [{destination: {host: legacy.test, subset: v3}}]}
  - {route: [{destination: {host: legacy.test}}]}
`;

describe('WorkloadEntries that are found by name, in the real Envoy', () => {
  const upstreams: Upstream[] = [];
  let envoy = '';
  let [service, own] = [0, 0];

  before(async function () {
    this.timeout(60_000);
    envoy = envoyOrSkip(this);
    [service, own] = [await freePort(), await freePort()];
    upstreams.push(await startUpstream('named', '127.0.0.1', own), await startUpstream('numbered', BY_ADDRESS, service));
  });
  after(() => Promise.all(upstreams.map((one) => one.close())));

  async function servers(resolution: string, path: string): Promise<readonly string[]> {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    let running: Envoy | undefined;
    try {
      const compiled = compiledFor(snapshotOf(mesh(service, own, resolution)), 'shop/app');
      running = await startStaticProxy({ envoy, compiled, folder, account: 'shop/default' });
      const seen = new Set<string>();
      for (let times = 0; times < 30; times++) {
        const { server, status } = await call(undefined, APP, 15_001, `legacy.test:${service}`, path);
        seen.add(server ?? String(status));
      }
      return [...seen].sort();
    } finally {
      await running?.stop();
      rmSync(folder, { recursive: true });
    }
  }

  it('stand behind a ServiceEntry that resolves, beside those with addresses, each at its port', async () => {
    assert.deepEqual(await servers('DNS', '/'), ['named', 'numbered']);
  });

  it('are chosen by subsets, of which one may have nobody', async () => {
    assert.deepEqual(await servers('DNS', '/v1'), ['named']);
    assert.deepEqual(await servers('DNS', '/v3'), ['503']);
  });

  it('stand in what is explained of a route as well', () => {
    const explained = (resolution: string, path: string) => {
      const snapshot = snapshotOf(mesh(8080, 9090, resolution));
      const { outcome } = evaluateRoute(snapshot, proxyOf(snapshot, 'shop/app'), {
        method: 'GET',
        scheme: 'http',
        host: 'legacy.test:8080',
        port: parsePort(8080),
        path,
        headers: new Map(),
        claims: undefined,
      });
      return outcome.kind === 'route' ? outcome.destinations.flatMap(({ endpoints }) => endpoints) : outcome.kind;
    };
    assert.deepEqual(explained('DNS', '/'), ['localhost:9090', `${BY_ADDRESS}:8080`]);
    assert.deepEqual(explained('DNS', '/v1'), ['localhost:9090']);
    assert.deepEqual(explained('DNS', '/v3'), []);
    assert.deepEqual(explained('STATIC', '/'), [`${BY_ADDRESS}:8080`]);
  });

  it('are nobody where addresses are told to Envoy', async () => {
    assert.deepEqual(await servers('STATIC', '/'), ['numbered']);
  });
});
