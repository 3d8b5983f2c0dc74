import assert from 'node:assert/strict';
import { parseNodeId } from '../../../xds/stream/node-id.ts';

describe('node ids', () => {
  it('name the kind of proxy, its pod and its namespace', () => {
    const text = 'sidecar~10.0.0.7~web-6f9c.v1.shop~shop.svc.cluster.local';
    assert.deepEqual(parseNodeId(text), { ok: true, value: { text, kind: 'sidecar', pod: 'web-6f9c.v1', namespace: 'shop' } });
    const router = parseNodeId('router~fd00::7~gw-1.istio-system~istio-system.svc.cluster.local');
    assert.ok(router.ok && router.value.kind === 'gateway' && router.value.namespace === 'istio-system');
  });

  it('name an agent', () => {
    const text = 'agent~machine-7.4711';
    assert.deepEqual(parseNodeId(text), { ok: true, value: { text, kind: 'agent' } });
  });

  for (const bad of [
    'agent~',
    'agent~10.0.0.7~web.shop~x',
    'agent~Machine',
    '',
    'sidecar',
    'waypoint~10.0.0.7~web.shop~x',
    '__proto__~10.0.0.7~web.shop~x',
    'sidecar~~web.shop~x',
    'sidecar~10.0.0.256~web.shop~x',
    'sidecar~10.0.0.7~web~x',
    'sidecar~10.0.0.7~.shop~x',
    'sidecar~10.0.0.7~web.~x',
    'sidecar~10.0.0.7~web..shop~x',
    'sidecar~10.0.0.7~Web.shop~x',
    'sidecar~10.0.0.7~web/../etc.shop~x',
    'sidecar~10.0.0.7~web.shop~',
    'sidecar~10.0.0.7~web.shop',
    'sidecar~10.0.0.7~web.shop~x~y',
    'sidecar~10.0.0.7~web.shop~x\n',
    ` sidecar~10.0.0.7~web.shop~x`,
    `sidecar~10.0.0.7~${'a'.repeat(254)}.shop~x`,
    `sidecar~10.0.0.7~web.${'s'.repeat(64)}~x`,
    `sidecar~10.0.0.7~web.shop~${'a.'.repeat(1000)}b`,
  ]) {
    it(`refuses ${JSON.stringify(bad.slice(0, 60))}`, () => assert.equal(parseNodeId(bad).ok, false));
  }
});
