// Hosts that the real Envoy ejects, counted at the servers: both of two, as far as the rule lets it.
import assert from 'node:assert/strict';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';

const rules = (detection: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: default}
spec: {hosts: ["*"], gateways: [gateway], http: [{route: [{destination: {host: app}}], retries: {attempts: 0}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: default}
spec:
  host: app
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 5m${detection}}
`;

describe('outlier detection of two servers in the real Envoy', function () {
  this.timeout(30_000);
  let envoy = '';
  let mesh: GatewayMesh | undefined;
  before(function () {
    envoy = envoyOrSkip(this);
  });
  afterEach(() => mesh?.close());

  /** How often each server was asked, and what came of requests that both fail, one after another. */
  const failing = async (detection: string, count = 20) => {
    mesh = await startGatewayMesh(envoy, rules(detection));
    const statuses: number[] = [];
    for (let at = 0; at < count; at += 1)
      statuses.push((await mesh.get('app.test', '/', { headers: { 'x-answer': '500' } })).status);
    const tally = (status: number) => statuses.filter((one) => one === status).length;
    return { asked: [mesh.v1.seen.length, mesh.v2.seen.length], failed: tally(500), unavailable: tally(503) };
  };

  it('both: neither is sent to from its second failure on, not for the moment after the other either', async () => {
    const { asked, failed, unavailable } = await failing(', maxEjectionPercent: 100');
    // An ejection takes its way through Envoy's threads, in which a request may pass.
    assert.ok(
      asked.every((one) => one >= 2 && one <= 5),
      asked.join(),
    );
    assert.equal(failed + unavailable, 20);
    assert.equal(
      failed,
      asked.reduce((sum, one) => sum + one, 0),
    );
  });

  it('half of them: the other stays, and takes everything', async () => {
    const { asked, failed, unavailable } = await failing(', maxEjectionPercent: 50');
    assert.ok(Math.min(...asked) <= 5, asked.join());
    assert.deepEqual([failed, unavailable], [20, 0]);
  });

  it('a tenth, where nothing is said: none', async () => {
    assert.deepEqual(await failing(''), { asked: [10, 10], failed: 20, unavailable: 0 });
  });

  it('both, and all are sent to when too few are left', async () => {
    assert.deepEqual(await failing(', maxEjectionPercent: 100, minHealthPercent: 50', 40), {
      asked: [20, 20],
      failed: 40,
      unavailable: 0,
    });
  });
});
