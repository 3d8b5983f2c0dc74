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

describe('policy preflight: what STRICT does not reach', () => {
  const annotated = (annotation: string): ReturnType<typeof meshWith>['snapshot'] =>
    meshWith(`
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: metered, namespace: shop}
spec:
  selector: {matchLabels: {app: metered}}
  template:
    metadata: {labels: {app: metered}, annotations: {${annotation}}}
    spec:
      serviceAccountName: metered
      containers:
      - name: metered
        image: x
        ports: [{containerPort: 8080}, {containerPort: 9090}]
        readinessProbe: {httpGet: {path: /ready, port: 9090}}
        livenessProbe: {grpc: {port: 9090}}
`).snapshot;
  const unrewritten = 'sidecar.istio.io/rewriteAppHTTPProbers: "false"';
  const calls = [plainText({ destination: 'shop/metered', port: 9090, path: '/ready' })];

  it('a port that is not captured, its probes neither', () => {
    for (const excluded of ['excludeInboundPorts: "9090"', 'includeInboundPorts: "8080, 8081"', 'includeInboundPorts: ""']) {
      const found = preflight(annotated(`${unrewritten}, traffic.sidecar.istio.io/${excluded}`), SHOP, calls);
      assert.ok(isSafe(found), excluded);
      assert.deepEqual(
        found.exceptedPorts.filter(({ port }) => port === 9090).map(({ mode }) => mode),
        ['NOT-CAPTURED'],
      );
    }
    for (const excluded of ['excludeInboundPorts: "8080"', 'excludeInboundPorts: "9090x"', 'includeInboundPorts: "*"'])
      assert.ok(!isSafe(preflight(annotated(`${unrewritten}, traffic.sidecar.istio.io/${excluded}`), SHOP, calls)), excluded);
  });
  it('probes that injection rewrites, of HTTP and gRPC; the others are named with what to do', () => {
    assert.deepEqual(preflight(annotated(''), SHOP, []).clusterCalls, []);
    const found = preflight(annotated(unrewritten), SHOP, []).clusterCalls;
    assert.deepEqual(
      found.map(({ text }) => text.replace(/ of .*/, '')),
      ['the liveness probe POST /grpc.health.v1.Health/Check on port 9090', 'the readiness probe GET /ready on port 9090'],
    );
    assert.match(found[0]?.hint ?? '', /^remove the annotation .*, or except port 9090 /);
  });
  it('a gateway, which PeerAuthentications are not for', () => {
    const { snapshot } = meshWith(`
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {selector: {app: app}, servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]}
`);
    assert.ok(isSafe(preflight(snapshot, SHOP, [plainText()])));
    assert.ok(!isSafe(preflight(snapshot, SHOP, [plainText({ destination: 'shop/web' })])));
  });
  it('but whatever is doubtful is cut off: an unknown port where one of them is STRICT, and workloads that are not configured', () => {
    const { snapshot } = meshWith(
      policyYaml(
        'PeerAuthentication',
        'app',
        '{selector: {matchLabels: {app: app}}, mtls: {mode: PERMISSIVE}, portLevelMtls: {9090: {mode: STRICT}}}',
      ),
    );
    assert.ok(isSafe(preflight(snapshot, SHOP, [plainText()])));
    for (const doubtful of [{ port: undefined }, { port: 9090 }, { destination: 'shop/gone' }])
      assert.ok(!isSafe(preflight(snapshot, SHOP, [plainText(doubtful)])), JSON.stringify(doubtful));
  });
});
