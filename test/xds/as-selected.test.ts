import assert from 'node:assert/strict';
import type { Proxy } from '../../mesh/model/proxy.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { NO_KEYS } from '../../policy/jwks/known.ts';
import { asSelected } from '../../xds/resources/as-selected.ts';
import { discoveredSecurity } from '../../xds/resources/security.ts';
import { proxyOf, snapshotOf } from '../routing/compiled.ts';

const mesh = (labels: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1
  namespace: shop
  labels: ${labels}
  ownerReferences: [{kind: Deployment, name: web}]
spec: {containers: [{name: app}]}
status: {podIP: 10.0.0.1}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: quarantine, namespace: shop}
spec: {selector: {matchLabels: {quarantine: "yes"}}, action: DENY, rules: [{}]}
`;

function denies(labels: string): boolean {
  const snapshot = snapshotOf(mesh(labels));
  const proxy: Proxy = proxyOf(snapshot, 'shop/web');
  const { extensions } = discoveredSecurity(snapshot, asSelected(proxy), NOBODY, NO_KEYS);
  return extensions.some(({ typedConfig }) => Buffer.from(typedConfig?.value ?? []).includes('policy[quarantine]'));
}

describe('policies in front of one Pod', () => {
  it('are those that select its own labels', () => {
    assert.equal(denies('{app: web}'), false);
    assert.equal(denies('{app: web, quarantine: "yes"}'), true);
  });

  it('keep their workload while nothing changes', () => {
    const proxy = proxyOf(snapshotOf(mesh('{app: web, quarantine: "yes"}')), 'shop/web');
    assert.equal(asSelected(proxy), asSelected(proxy));
    assert.equal(asSelected(proxy).labels['quarantine'], 'yes');
    const plain = proxyOf(snapshotOf(mesh('{app: web}')), 'shop/web');
    assert.equal(asSelected(plain), plain.workload);
  });
});
