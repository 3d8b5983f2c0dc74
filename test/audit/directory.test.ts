import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Directory } from '../../audit/intake/directory.ts';
import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { snapshotDirectory } from '../../cli/serve/directory.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';

const deployment = (name: string, account: string, port: number, labels: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}${labels}}}
    spec:
      serviceAccountName: ${account}
      containers: [{name: main, image: x, ports: [{containerPort: ${port}, name: web}]}]
---`;

const pod = (
  owner: string,
  account: string,
  ip: string,
  port: number,
  more: { readonly annotations?: string; readonly tls?: boolean } = {},
): string => `
apiVersion: v1
kind: Pod
metadata:
  name: ${owner}-1
  namespace: shop
  labels: {app: ${owner}, tier: all${more.tls === false ? '' : ', security.istio.io/tlsMode: istio'}}
  annotations: {${more.annotations ?? ''}}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: ${owner}}]
spec:
  serviceAccountName: ${account}
  containers: [{name: main, image: x, ports: [{containerPort: ${port}, name: web}]}]
status: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "True"}]}
---`;

const service = (name: string, selector: string, port: number, target: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {${selector}}, ports: [{name: http, port: ${port}, targetPort: ${target}}]}
---`;

const policy = (name: string, namespace: string, body: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${body}
---`;

const YAML = [
  deployment('app', 'app', 8080, ', tier: all'),
  deployment('web', 'shared', 3000, ', tier: all'),
  deployment('batch', 'shared', 3000, ', tier: all'),
  pod('app', 'app', '10.0.0.1', 8080),
  pod('web', 'shared', '127.10.0.2', 3000, {
    annotations: 'gatehouse.dev/capture: explicit, gatehouse.dev/app-address: 127.11.0.2',
  }),
  pod('batch', 'shared', '10.0.0.3', 3000, { tls: false }),
  service('app', 'app: app', 9080, '8080'),
  service('app-too', 'app: app', 80, '8080'),
  service('web', 'app: web', 80, 'web'),
  policy('one', 'shop', '{selector: {matchLabels: {app: app}}, rules: [{}]}'),
  policy('all', 'istio-system', '{rules: [{}]}'),
  policy('no', 'shop', '{selector: {matchLabels: {app: app}}, action: DENY, rules: [{}]}'),
].join('\n');

const APP_NODE = 'sidecar~10.0.0.1~app-1.shop~shop.svc.cluster.local';
const WEB_NODE = 'sidecar~127.10.0.2~web-1.shop~shop.svc.cluster.local';

function id(account: string): SpiffeId {
  const parsed = parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${account}`);
  assert.ok(parsed.ok);
  return parsed.value;
}

describe('audit: names from the snapshot', () => {
  let directory: Directory;
  let snapshot: Snapshot;
  before(() => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-directory-'));
    writeFileSync(join(folder, 'mesh.yaml'), YAML);
    const loaded = loadMesh({ paths: [folder] });
    rmSync(folder, { recursive: true });
    assert.deepEqual(
      loaded.diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    ({ snapshot } = loaded);
    directory = snapshotDirectory(() => snapshot);
  });

  it('knows the workload of a node id, and of nothing else', () => {
    const nodes = [APP_NODE, WEB_NODE, 'sidecar~10.0.0.1~app-1.other~x', 'sidecar~10.0.0.1~app.shop~x', '', '~~', 'app-1.shop'];
    assert.deepEqual(
      nodes.map((node) => directory.workloadOf(node)),
      ['shop/app', 'shop/web', undefined, undefined, undefined, undefined, undefined],
    );
  });

  it('knows identities, both ways where only one workload has one', () => {
    assert.equal(directory.principalOf('shop/app'), id('app'));
    assert.equal(directory.principalOf('shop/none'), undefined);
    assert.equal(directory.workloadOfPrincipal(id('app')), 'shop/app');
    assert.equal(directory.workloadOfPrincipal(id('shared')), undefined);
  });

  it('knows addresses: of the pod and, without capture, of the application', () => {
    const at = (ip: string): unknown => directory.workloadByAddress(ip);
    assert.deepEqual(['10.0.0.1', '127.10.0.2', '127.11.0.2', '10.0.0.3', '10.0.0.4'].map(at), [
      { workload: 'shop/app', meshed: true },
      { workload: 'shop/web', meshed: true },
      { workload: 'shop/web', meshed: true },
      { workload: 'shop/batch', meshed: false },
      undefined,
    ]);
  });

  it('finds the service by port, by the name of a port, and among several by Host, which proves nothing by itself', () => {
    const of = (node: string, port: number, authority: string): string | undefined => {
      const found = directory.serviceOf(node, port, authority);
      return found && `${found.host.split('.')[0] ?? ''}:${found.port}`;
    };
    assert.equal(of(WEB_NODE, 3000, ''), 'web:80');
    assert.equal(of(APP_NODE, 8080, 'app:9080'), 'app:9080');
    assert.equal(of(APP_NODE, 8080, 'app-too'), 'app-too:80');
    assert.equal(of(APP_NODE, 8080, 'web'), of(APP_NODE, 8080, ''), 'another service of the mesh is not behind this port');
    assert.equal(of(APP_NODE, 9999, 'app'), undefined);
  });

  it('reads every form of a Host header', () => {
    const of = (authority: string): string | undefined => directory.serviceOfAuthority(WEB_NODE, authority)?.host;
    for (const host of [
      'app',
      'app:9080',
      'app.shop',
      'app.shop.svc',
      'app.shop.svc.cluster.local',
      'APP.shop.svc.cluster.local:9080',
    ])
      assert.equal(of(host), 'app.shop.svc.cluster.local', host);
    for (const host of ['', 'app:1', 'nobody', 'app.other', 'example.com', 'app:9080:9080', '[::1]', ' ', 'a'.repeat(9000)])
      assert.equal(of(host), undefined, host);
  });

  it('lists the ALLOW policies that apply', () => {
    assert.deepEqual(directory.allowPoliciesOf('shop/app').toSorted(), ['istio-system/all', 'shop/one']);
    assert.deepEqual(directory.allowPoliciesOf('shop/web'), ['istio-system/all']);
    assert.deepEqual(directory.allowPoliciesOf('shop/none'), []);
  });

  it('follows the snapshot', () => {
    const before = snapshot;
    snapshot = { ...before, number: 2, workloads: [], authorizationPolicies: [] };
    assert.equal(directory.workloadOf(APP_NODE), undefined);
    snapshot = before;
    assert.equal(directory.workloadOf(APP_NODE), 'shop/app');
  });
});
