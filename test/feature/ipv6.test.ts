// Pods in network namespaces have IPv6 as well, where the kernel captures it: a Service that is reached by such an address alone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { once } from 'node:events';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { serverStatus } from './pair.ts';
import { get, RunningMesh, root } from './running-mesh.ts';

const MESH = `
apiVersion: v1
kind: Service
metadata: {name: server6, namespace: pair}
spec:
  clusterIP: "fd96::10"
  clusterIPs: ["fd96::10"]
  ipFamilies: [IPv6]
  selector: {app: server}
  ports: [{name: http, port: 8080}]
`;

/** Whether something takes plain text at an address and answers it. */
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  socket.on('error', () => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: server\r\n\r\n');
  const first = await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]).catch(
    () => false,
  );
  socket.destroy();
  return first;
}

inBothCaptureModes('a Service of IPv6', (capture) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ipv6-'));
  let mesh: RunningMesh;

  before(async () => {
    writeFileSync(join(folder, 'ipv6.yaml'), MESH);
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair'), folder], capture);
  });
  after(async () => {
    await mesh.stop();
    rmSync(folder, { recursive: true });
  });

  const throughClient = (url: string) => get(mesh.gateway, `/call?url=${encodeURIComponent(url)}`, { host: 'pair.localhost' });

  /** In network namespaces pods have IPv6 only where the kernel captures it. */
  const address6OrSkip = (context: Mocha.Context): string | undefined => {
    const { netns, ip6 } = mesh.workload('pair/server');
    if (netns !== undefined && ip6 === undefined) context.skip();
    return ip6;
  };

  it('is called by its name and by its address, over mutual TLS', async function () {
    address6OrSkip(this);
    // In network namespaces the name stands for that address alone.
    const urls = ['http://server6:8080/', ...(capture === 'explicit' ? ['http://[fd96::10]:8080/'] : [])];
    for (const url of urls) assert.equal(serverStatus(await throughClient(url)), '200', url);
    const edge = await eventually('the call in the report', async () =>
      (await mesh.edges()).find(
        ({ source, destination }) => source.workload === 'pair/client' && destination.workload === 'pair/server',
      ),
    );
    assert.equal(edge.mtls, true);
  });

  if (capture === 'netns')
    it('lets nobody past the proxy to the address of a pod', async function () {
      const address = address6OrSkip(this) ?? '';
      assert.equal(await answers(address, 8080), false);
      // What refuses is the mode, and nothing else.
      await mesh.apply(OPEN);
      await eventually('an answer', async () => ((await answers(address, 8080)) ? true : undefined));
    });
});

const OPEN = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: pair}
spec: {mtls: {mode: PERMISSIVE}}
`;
