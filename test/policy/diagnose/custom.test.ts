import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { policyDiagnostics } from '../../../policy/diagnose/policy-diagnostics.ts';

const MESH = `
apiVersion: v1
kind: Service
metadata: {name: authz, namespace: authz}
spec: {selector: {app: authz}, ports: [{name: http, port: 8000}, {name: grpc, port: 9000}, {name: tcp-rpc, port: 9001}]}
---
apiVersion: v1
kind: Pod
metadata: {name: authz, namespace: authz, labels: {app: authz, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app}]}
status: {podIP: 10.0.0.1, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-db, port: 9090}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app, ports: [{containerPort: 8080}, {containerPort: 9090}]}]}
status: {podIP: 10.0.0.2, phase: Running}
`;

const MESH_CONFIG = `
extensionProviders:
- {name: web, envoyExtAuthzHttp: {service: authz.authz.svc.cluster.local, port: 8000}}
- {name: rpc, envoyExtAuthzGrpc: {service: authz/authz.authz.svc.cluster.local, port: 9000}}
- {name: unnamed, envoyExtAuthzGrpc: {service: authz.authz.svc.cluster.local, port: 9001}}
- {name: gone, envoyExtAuthzGrpc: {service: gone.authz.svc.cluster.local, port: 9000}}
- {name: no-port, envoyExtAuthzGrpc: {service: authz.authz.svc.cluster.local, port: 1}}
- {name: elsewhere, envoyExtAuthzGrpc: {service: shop/authz.authz.svc.cluster.local, port: 9000}}
- {name: broken, envoyExtAuthzHttp: {service: authz.authz.svc.cluster.local, port: 99999}}
- {name: tracing, zipkin: {service: zipkin.istio-system.svc.cluster.local, port: 9411}}
`;

describe('policy, diagnostics of CUSTOM', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-custom-'));
    writeFileSync(join(folder, 'mesh-config'), MESH_CONFIG);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function codes(provider: string, rules: string, namespace = 'shop') {
    const policy = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask, namespace: ${namespace}}
spec: {action: CUSTOM, provider: {name: ${provider}}, rules: ${rules}}
`;
    const file = join(folder, 'mesh.yaml');
    writeFileSync(file, MESH + policy);
    const { snapshot, diagnostics } = loadMesh({ paths: [file], meshConfigFile: join(folder, 'mesh-config') });
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    return policyDiagnostics(snapshot).map(({ code, severity }) => `${severity} ${code}`);
  }
  const HTTP = '[{to: [{operation: {ports: ["8080"], paths: [/admin]}}]}]';

  it('nothing is said of one that can be asked', () => {
    assert.deepEqual([codes('web', HTTP), codes('rpc', '[{}]')], [[], []]);
  });

  for (const provider of ['gone', 'no-port', 'elsewhere', 'broken', 'tracing', 'nobody'])
    it(`a provider that cannot be asked: ${provider}`, () =>
      assert.deepEqual(codes(provider, HTTP), ['warning no-such-provider']));

  it('an HTTP authorizer and TCP ports: a warning where the rule names them, else for information', () => {
    assert.deepEqual(codes('web', '[{to: [{operation: {ports: ["9090"]}}]}]'), ['warning custom-not-on-tcp']);
    assert.deepEqual(codes('web', '[{to: [{operation: {paths: [/admin]}}]}]'), ['info custom-not-on-tcp']);
  });

  it('a gRPC authorizer on a port that does not say so', () => {
    assert.deepEqual(codes('unnamed', HTTP), ['warning authorizer-not-grpc']);
  });

  it('a policy that applies to its own authorizer', () => {
    assert.deepEqual(codes('rpc', '[{}]', 'istio-system'), ['warning custom-on-authorizer']);
  });
});
