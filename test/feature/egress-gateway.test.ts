// A way out: calls to a host outside of the mesh leave by an egress gateway, whose certificate the caller's proxy checks and which knows the
// caller by its own.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { freePort } from '../routing/envoy/upstream.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { serverStatus } from './pair.ts';
import { get, type ReportedEdge, RunningMesh, root } from './running-mesh.ts';

const HOST = 'outside.example';

/** The gateway is one as Istio's charts install it; the pod comes with the first start, so that only rules change later. */
const GATEWAY = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: istio-egressgateway, namespace: istio-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  template:
    metadata: {labels: {istio: egressgateway}}
    spec: {serviceAccountName: istio-egressgateway, containers: [{name: istio-proxy, image: auto}]}
`;

const wayOut = (outside: number, port: number) => `${GATEWAY}---
apiVersion: v1
kind: Service
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  ports: [{name: https, port: ${port}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: way-out, namespace: pair}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: ${port}, name: https, protocol: HTTPS}
    hosts: [${HOST}]
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: pair}
spec:
  hosts: [${HOST}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: ${outside}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: way-out, namespace: pair}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
  - name: outside
    trafficPolicy: {portLevelSettings: [{port: {number: ${port}}, tls: {mode: ISTIO_MUTUAL, sni: ${HOST}}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outside, namespace: pair}
spec:
  hosts: [${HOST}]
  gateways: [way-out, mesh]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: outside, port: {number: ${port}}}}]
  - match: [{gateways: [way-out], port: ${port}}]
    headers: {request: {set: {x-left-by: way-out}}}
    route: [{destination: {host: ${HOST}, port: {number: 80}}}]
`;

/** Nobody but the account may leave by the gateway. */
const only = (account: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: way-out, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  rules: [{from: [{source: {principals: [cluster.local/ns/pair/sa/${account}]}}]}]
`;

inBothCaptureModes('an egress gateway', (capture) => {
  const reached: { readonly host: string; readonly by: string }[] = [];
  const outside = createServer(({ headers }, response) => {
    reached.push({ host: String(headers.host), by: String(headers['x-left-by']) });
    response.end('{}');
  });
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-egress-'));
  let mesh: RunningMesh;
  /** Calls served before `reached` was emptied. */
  let earlier = 0;
  const forget = (): void => {
    earlier += reached.length;
    reached.length = 0;
  };

  before(async () => {
    const port = await new Promise<number>((resolve) => {
      outside.listen(0, '127.0.0.1', () => {
        const address = outside.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    writeFileSync(join(folder, 'way-out.yaml'), wayOut(port, await freePort()));
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair'), folder], capture);
  });
  after(async () => {
    outside.closeAllConnections();
    outside.close();
    rmSync(folder, { recursive: true });
    await mesh?.stop();
  });

  const leave = async (): Promise<string> =>
    serverStatus(await get(mesh.gateway, `/call?url=http://${HOST}/`, { host: 'pair.localhost' }));

  it('calls leave by it, and by nothing else', async () => {
    await eventually('the first call outside', async () => ((await leave()) === '200' ? true : undefined));
    forget();
    for (let at = 0; at < 20; at += 1) assert.equal(await leave(), '200', mesh.log());
    assert.deepEqual(
      reached,
      Array.from({ length: 20 }, () => ({ host: HOST, by: 'way-out' })),
    );
  });

  it('it knows who calls: policy lets one account leave, and no other', async () => {
    forget();
    await mesh.apply(only('somebody-else'), 'only.yaml');
    assert.equal(await leave(), '403');
    assert.equal(reached.length, 0);
    await mesh.apply(only('client'), 'only.yaml');
    assert.equal(await leave(), '200', mesh.log());
  });

  it('the report tells both parts of the way', async () => {
    const count = async (from: string, to: (destination: ReportedEdge['destination']) => boolean): Promise<number> =>
      (await mesh.edges())
        .filter(({ source, destination, decision }) => decision === 'ALLOW' && source.workload === from && to(destination))
        .reduce((sum, edge) => sum + edge.count, 0);
    const ways = async () => [
      await count('pair/client', ({ workload }) => workload === 'istio-system/istio-egressgateway'),
      await count('istio-system/istio-egressgateway', ({ service }) => service === HOST),
    ];
    const served = reached.length + earlier;
    const seen = await eventually('every call', async () => {
      const found = await ways();
      return found.every((one) => one >= served) ? found : undefined;
    });
    assert.deepEqual(seen, [served, served]);
  });
});
