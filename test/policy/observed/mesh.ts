import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { destinationsIn, identitiesIn } from '../../../cli/policy/destinations.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import type { Destination } from '../../../policy/access/world.ts';

export interface TestMesh {
  readonly snapshot: Snapshot;
  readonly destinations: readonly Destination[];
  readonly identities: readonly string[];
}

export function workloadYaml(name: string, more = ''): string {
  return `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}${more}}
    spec: {serviceAccountName: ${name}, containers: [{name: ${name}, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: 8080}]}
`;
}

export function policyYaml(
  kind: 'AuthorizationPolicy' | 'PeerAuthentication' | 'RequestAuthentication',
  name: string,
  spec: string,
  metadata = '',
): string {
  return `
---
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: {name: ${name}, namespace: shop${metadata}}
spec: ${spec}
`;
}

/** shop/web and shop/app, with these policies. */
export function meshWith(...documents: readonly string[]): TestMesh {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-observed-'));
  try {
    writeFileSync(join(folder, 'mesh.yaml'), [workloadYaml('web'), workloadYaml('app'), ...documents].join(''));
    const { snapshot, diagnostics } = loadMesh({ paths: [folder] });
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    return { snapshot, destinations: destinationsIn(snapshot), identities: identitiesIn(snapshot) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
