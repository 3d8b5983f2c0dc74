// Gateways of the Kubernetes Gateway API in a whole mesh: `up` starts a proxy for each, and stops it when the Gateway is gone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../routing/envoy/upstream.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { serverStatus } from './pair.ts';
import { get, type Reply, RunningMesh, root } from './running-mesh.ts';

const gateway = (name: string, port: number, className = 'gatehouse') => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: pair}
spec: {gatewayClassName: ${className}, listeners: [{name: http, port: ${port}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: pair}
spec: {parentRefs: [{name: ${name}}], hostnames: [${name}.test], rules: [{backendRefs: [{name: client, port: 8080}]}]}
`;

const secret = (namespace: string, { cert, key }: Issued) => `
---
${stringify({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'cert', namespace },
  type: 'kubernetes.io/tls',
  stringData: { 'tls.crt': cert, 'tls.key': key },
})}`;

/** HTTPS on two ports with a Secret beside the Gateway; clients show a certificate on the second. */
const secureGateway = ([open, closed]: readonly [number, number], client: TestAuthority) => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure, namespace: pair}
spec:
  gatewayClassName: istio
  tls:
    frontend:
      default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: clients}]}}
      perPort: [{port: ${open}, tls: {}}]
  listeners:
  - {name: open, port: ${open}, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
  - {name: closed, port: ${closed}, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: clients, namespace: pair}
data: {ca.crt: ${JSON.stringify(client.root)}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: secure, namespace: pair}
spec: {parentRefs: [{name: secure}], rules: [{backendRefs: [{name: client, port: 8080}]}]}
`;

/** HTTPS with the Secret of another namespace, and the grant without which it is not shown. */
const borrowing = (port: number) => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: borrowing, namespace: pair}
spec:
  gatewayClassName: istio
  listeners: [{name: https, port: ${port}, protocol: HTTPS, tls: {certificateRefs: [{name: cert, namespace: certificates}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: borrowing, namespace: pair}
spec: {parentRefs: [{name: borrowing}], rules: [{backendRefs: [{name: client, port: 8080}]}]}
`;

const grant = (name: string) => `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: gateways, namespace: certificates}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: pair}]
  to: [{group: "", kind: Secret, name: ${name}}]
`;

async function secureStatus(port: number, ca: string, shown?: Issued): Promise<number | undefined> {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    servername: 'secure.test',
    path: '/call?url=http://server:8080/',
    ca,
    agent: false,
    ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }),
  });
  outgoing.end();
  try {
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  } catch {
    return undefined;
  }
}

/** A route in the mesh: the client's calls with a header are answered with a redirect, all others as before. */
const IN_MESH = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: server, namespace: pair}
spec:
  parentRefs: [{group: "", kind: Service, name: server, port: 8080}]
  rules:
  - matches: [{path: {value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 308, path: {type: ReplaceFullPath, replaceFullPath: /}}}]
  - backendRefs: [{name: server, port: 8080}]
`;

inBothCaptureModes('gateways of the Gateway API in a whole mesh', (capture) => {
  let mesh: RunningMesh | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-gateway-api-'));
  let [edge, late, left, borrowed] = [0, 0, 0, 0];

  before(async () => {
    [edge, late, left, borrowed] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const text = `${gateway('edge', edge)}${gateway('left', left, 'somebody-else')}${borrowing(borrowed)}`;
    writeFileSync(join(folder, 'edge.yaml'), text);
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair'), folder], capture, [
      '--gateway-port',
      String(await freePort()),
    ]);
  });
  after(async () => {
    await mesh?.stop();
    rmSync(folder, { recursive: true });
  });

  const through = (port: number, host: string, path = '/'): Promise<Reply | undefined> =>
    get(`127.0.0.1:${port}`, `/call?url=http://server:8080${path}`, { host }).catch(() => undefined);

  it('a Gateway has a proxy of its own, that calls the mesh by mutual TLS', async () => {
    assert.ok(mesh !== undefined);
    assert.equal(mesh.workload('pair/edge-gatehouse').pod, 'edge-gatehouse-1');
    const reply = await eventually('an answer', () => through(edge, 'edge.test'));
    assert.deepEqual([reply.status, serverStatus(reply)], [200, '200']);
    assert.equal((await through(edge, 'other.test'))?.status, 404);
    assert.equal(await through(left, 'left.test'), undefined, 'a class that nobody serves is left alone');
  });

  it('a Gateway that comes gets its proxy, and loses it when it goes', async () => {
    assert.ok(mesh !== undefined);
    const running = mesh;
    writeFileSync(join(running.dir, 'late.yaml'), gateway('late', late));
    const reply = await eventually('the late gateway', () => through(late, 'late.test'));
    assert.equal(reply.status, 200);
    rmSync(join(running.dir, 'late.yaml'));
    await eventually('the late gateway gone', async () => ((await through(late, 'late.test')) === undefined ? true : undefined));
    assert.equal((await through(edge, 'edge.test'))?.status, 200);
  });

  it('HTTPS with its Secret, and certificates of clients', async () => {
    assert.ok(mesh !== undefined);
    const running = mesh;
    const [authority, clients] = [await TestAuthority.create(), await TestAuthority.create()];
    const shown = await clients.issueForHost('someone.test');
    const [open, closed] = [await freePort(), await freePort()];
    const text = secureGateway([open, closed], clients) + secret('pair', await authority.issueForHost('secure.test'));
    writeFileSync(join(running.dir, 'secure.yaml'), text, { mode: 0o600 });
    await eventually('without a certificate', async () =>
      (await secureStatus(open, authority.root)) === 200 ? true : undefined,
    );
    await eventually('with one', async () => ((await secureStatus(closed, authority.root, shown)) === 200 ? true : undefined));
    assert.equal(await secureStatus(closed, authority.root), undefined, 'clients show a certificate');
    const stranger = await authority.issueForHost('someone.test');
    assert.equal(await secureStatus(closed, authority.root, stranger), undefined, 'of their own authority');
  });

  it('the Secret of another namespace while it is granted, by the same Envoy', async () => {
    assert.ok(mesh !== undefined);
    const running = mesh;
    const authority = await TestAuthority.create();
    const text = secret('certificates', await authority.issueForHost('secure.test'));
    writeFileSync(join(running.dir, 'certificate.yaml'), text, { mode: 0o600 });
    const uptime = async () => {
      const info: unknown = JSON.parse(await running.admin('pair/borrowing-istio', '/server_info'));
      assert.ok(typeof info === 'object' && info !== null && 'uptime_current_epoch' in info);
      return Number.parseInt(String(info.uptime_current_epoch), 10);
    };
    const status = () => secureStatus(borrowed, authority.root);
    const becomes = (wanted: number | undefined) =>
      eventually(`an answer ${wanted}`, async () => ((await status()) === wanted ? true : undefined));
    await running.apply(grant('other'), 'grant.yaml');
    assert.equal(await status(), undefined, 'another Secret is granted');
    await running.apply(grant('cert'), 'grant.yaml');
    await becomes(200);
    const before = await uptime();
    await running.apply(grant('other'), 'grant.yaml');
    await becomes(undefined);
    await running.apply(grant('cert'), 'grant.yaml');
    await becomes(200);
    rmSync(join(running.dir, 'grant.yaml'));
    await becomes(undefined);
    assert.ok((await uptime()) >= before, 'the Envoy was not started anew');
  });

  it('a route at a Service is in force for its callers', async () => {
    assert.ok(mesh !== undefined);
    await mesh.apply(IN_MESH, 'server.yaml');
    const moved = await through(edge, 'edge.test', '/moved');
    assert.ok(moved !== undefined);
    assert.equal(serverStatus(moved), '308');
    const other = await through(edge, 'edge.test', '/other');
    assert.ok(other !== undefined);
    assert.equal(serverStatus(other), '200');
  });
});
