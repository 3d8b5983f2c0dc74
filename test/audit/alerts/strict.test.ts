import assert from 'node:assert/strict';
import { strictness } from '../../../cli/serve/alerts/strict.ts';
import { snapshotOf } from '../../up/snapshot.ts';

const deployment = (namespace: string, name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: c, image: gatehouse/sample-echo:v1, ports: [{containerPort: 8080}]}]}
---
`;

const MESH = `apiVersion: v1
kind: Namespace
metadata: {name: soon, labels: {gatehouse.dev/to-be-strict: "true"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: later, labels: {gatehouse.dev/to-be-strict: "false"}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: all, namespace: now}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: one, namespace: later}
spec: {selector: {matchLabels: {app: b}}, mtls: {mode: STRICT}}
---
${deployment('soon', 'a')}${deployment('now', 'a')}${deployment('later', 'a')}${deployment('later', 'b')}`;

describe('what is to be strict', () => {
  it('by the label of the namespace, or by PeerAuthentication, and follows changes', () => {
    let snapshot = snapshotOf(MESH);
    const strict = strictness(() => snapshot);
    assert.equal(strict('soon/a'), 'its namespace has the label gatehouse.dev/to-be-strict');
    assert.equal(strict('now/a'), 'PeerAuthentication now/all is STRICT');
    assert.equal(strict('later/a'), undefined);
    assert.equal(strict('later/b'), 'PeerAuthentication later/one is STRICT');
    assert.equal(strict('nowhere/a'), undefined);
    snapshot = snapshotOf(MESH.replace('"false"', '"true"'));
    assert.equal(strict('later/a'), 'its namespace has the label gatehouse.dev/to-be-strict');
  });
});
