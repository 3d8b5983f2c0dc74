import assert from 'node:assert/strict';
import { compiledFor, snapshotOf } from './compiled.ts';

const mesh = (tls: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  template:
    metadata: {labels: {app: client}}
    spec: {containers: [{name: client, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank}
spec:
  hosts: [bank.example.org]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 443, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bank}
spec:
  host: bank.example.org
  trafficPolicy: {tls: {${tls}}}
`;

describe('TLS toward a destination', () => {
  const clusters = (tls: string): readonly string[] =>
    compiledFor(snapshotOf(mesh(tls)), 'default/client')
      .clusters.map(({ name }) => name)
      .filter((name) => name.includes('bank'));

  it('is not replaced by plain text where it is not there yet', () => {
    assert.deepEqual(clusters('mode: SIMPLE'), []);
    assert.deepEqual(clusters('mode: MUTUAL, credentialName: bank'), []);
  });

  it('may be turned off', () => {
    assert.deepEqual(clusters('mode: DISABLE'), ['outbound|443||bank.example.org']);
  });
});
