import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';

const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

const YAML = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: mine}
spec: {controllerName: gatehouse.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop, generation: 4}
spec: {gatewayClassName: mine, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {parentRefs: [{name: edge}], hostnames: [a.test], rules: [{backendRefs: [{name: web, port: 81}]}]}
`;

describe('gatehouse get, Gateway API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  before(() => writeFileSync(join(folder, 'in.yaml'), YAML));
  after(() => rmSync(folder, { recursive: true }));

  const get = async (...args: readonly string[]): Promise<string> => {
    const all = ['--disable-warning=ExperimentalWarning', MAIN, 'get', ...args, '-n', 'shop', '--dir', folder];
    return (await promisify(execFile)(process.execPath, all)).stdout;
  };
  const rows = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  it("prints kubectl's columns, and with wide what became of the objects", async () => {
    assert.deepEqual(rows(await get('gateways.gateway.networking.k8s.io')), [
      ['NAME', 'CLASS', 'ADDRESS', 'PROGRAMMED', 'AGE'],
      ['edge', 'mine', 'False', '<unknown>'],
    ]);
    assert.deepEqual(rows(await get('httproutes', '-o', 'wide')), [
      ['NAME', 'HOSTNAMES', 'AGE', 'PARENTS', 'ACCEPTED', 'RESOLVEDREFS'],
      ['web', '["a.test"]', '<unknown>', 'edge', 'True', 'False (BackendNotFound)'],
    ]);
    assert.deepEqual(rows(await get('gatewayclasses'))[1], ['mine', 'gatehouse.dev/gateway-controller', 'True', '<unknown>']);
    assert.deepEqual(rows(await get('gateways'))[1], ['edge'], "a Gateway of Istio's of the same name");
  });

  it('has the status in the object', async () => {
    const found = parse(await get('gtw', 'edge', '-o', 'yaml')) as {
      kind: string;
      status: {
        listeners: { attachedRoutes: number }[];
        conditions: { type: string; status: string; observedGeneration: number }[];
      };
    };
    assert.equal(found.kind, 'Gateway');
    assert.deepEqual(
      found.status.conditions.map(({ type, status, observedGeneration }) => [type, status, observedGeneration]),
      [
        ['Accepted', 'True', 4],
        ['Programmed', 'False', 4],
      ],
    );
    assert.equal(found.status.listeners[0]?.attachedRoutes, 1);
    const json = JSON.parse(await get('httproute', 'web', '-o', 'json')) as { status: { parents: { controllerName: string }[] } };
    assert.equal(json.status.parents[0]?.controllerName, 'gatehouse.dev/gateway-controller');
  });
});
