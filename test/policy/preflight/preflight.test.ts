import assert from 'node:assert/strict';
import { isSafe, preflight } from '../../../policy/preflight/preflight.ts';
import { observed, plainText } from '../observed/calls.ts';
import { meshWith, policyYaml, workloadYaml } from '../observed/mesh.ts';

const SHOP = { namespace: 'shop', workload: undefined };
const EXCEPTED = policyYaml(
  'PeerAuthentication',
  'app',
  '{selector: {matchLabels: {app: app}}, mtls: {mode: STRICT}, portLevelMtls: {9090: {mode: PERMISSIVE}}}',
);

describe('policy preflight: who would be cut off by STRICT', () => {
  it('tells callers in plain text, added up, and why they call so', () => {
    const { snapshot } = meshWith(workloadYaml('old', ', sidecar.istio.io/inject: "false"'));
    const found = preflight(snapshot, SHOP, [
      observed(),
      plainText(),
      plainText({ path: '/x', count: 2, lastSeen: 2e12 }),
      plainText({ address: '10.0.0.7', caller: 'shop/old', count: 5 }),
      plainText({ address: '10.0.0.8', caller: 'shop/old', count: 6, method: 'POST' }),
      plainText({ decision: 'DENY', denied: 'refused' }),
      plainText({ destination: 'other/app' }),
    ]);
    assert.deepEqual(
      found.cutOff.map(({ caller, addresses, destination, port, calls, lastSeen, requests }) => [
        caller,
        addresses,
        destination,
        port,
        calls,
        lastSeen === 2e12,
        requests,
      ]),
      [
        [undefined, ['10.9.9.9'], 'shop/app', 8080, 12, true, ['GET /users/{id}', 'GET /x']],
        ['shop/old', ['10.0.0.7', '10.0.0.8'], 'shop/app', 8080, 11, false, ['GET /users/{id}', 'POST /users/{id}']],
      ],
    );
    assert.equal(found.mtlsCalls, 10);
    assert.ok(!isSafe(found));
    assert.ok(isSafe(preflight(snapshot, SHOP, [observed()])));
  });

  it('leaves out ports that are excepted, and tells them', () => {
    const { snapshot } = meshWith(EXCEPTED);
    const found = preflight(snapshot, SHOP, [plainText({ port: 9090 })]);
    assert.deepEqual(found.cutOff, []);
    assert.deepEqual(
      found.excepted.map(({ port, calls }) => [port, calls]),
      [[9090, 10]],
    );
    assert.deepEqual(found.exceptedPorts, [{ destination: 'shop/app', port: 9090, mode: 'PERMISSIVE', setBy: 'shop/app' }]);
    const workload = snapshot.workloads.find(({ name }) => name === 'app');
    assert.ok(workload);
    const alone = preflight(snapshot, { namespace: 'shop', workload }, [plainText({ port: 9090 }), plainText()]);
    assert.deepEqual([alone.cutOff.length, alone.excepted.length, alone.workloads], [1, 1, ['shop/app']]);
  });

  it('tells probes and scrapes that would be denied, seen or not', () => {
    const pod = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: probed, namespace: shop}
spec:
  selector: {matchLabels: {app: probed}}
  template:
    metadata:
      labels: {app: probed}
      annotations: {sidecar.istio.io/rewriteAppHTTPProbers: "false", prometheus.io/scrape: "true", prometheus.io/port: "8080"}
    spec:
      serviceAccountName: probed
      containers: [{name: probed, image: x, ports: [{containerPort: 8080}], livenessProbe: {httpGet: {path: /health, port: 8080}}}]
`;
    const { snapshot } = meshWith(pod);
    const found = preflight(snapshot, SHOP, []);
    assert.deepEqual(
      found.clusterCalls.map(({ kind, object, certain }) => [kind, object, certain]),
      [
        ['probe', 'Deployment shop/probed', true],
        ['scrape', 'Deployment shop/probed', false],
      ],
    );
    assert.match(found.clusterCalls[0]?.text ?? '', /GET \/health on port 8080 .*the PeerAuthentication to be/);
    assert.ok(!isSafe(found));
    const seen = preflight(snapshot, SHOP, [
      plainText({ destination: 'shop/probed', path: '/health', address: '10.1.0.1' }),
      plainText({ destination: 'shop/probed', path: '/metrics', address: '10.1.0.2' }),
    ]);
    assert.deepEqual(
      seen.cutOff.map(({ kind }) => kind),
      ['probe', 'scrape'],
    );
  });
});
