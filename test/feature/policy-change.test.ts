// Policy changes under connections that are open: none is dropped, and the new policy decides over the next request or connection.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { meshCertificate } from './mesh-certificate.ts';
import { Http2Connection, type Own, TcpConnection, WebSocketConnection } from './open-connections.ts';
import { root, RunningMesh } from './running-mesh.ts';
import { TlsConnection } from './tls-connection.ts';

const policy = (action: 'ALLOW' | 'DENY', principal: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: callers
  namespace: steady
spec:
  action: ${action}
  rules:
  - from:
    - source:
        principals: ["${principal}"]
`;

const SERVER = 'cluster.local/ns/steady/sa/server';

/** Ports of one workload under other modes of mutual TLS. */
const portMode = (port: number, mode: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: ports
  namespace: steady
spec:
  selector:
    matchLabels:
      app: server
  mtls:
    mode: STRICT
  portLevelMtls:
    ${port}:
      mode: ${mode}
`;

inBothCaptureModes('policy changes', (capture) => {
  let mesh: RunningMesh;
  let own: Own;
  let open: Opened;
  let untouched: readonly string[];

  interface Opened {
    readonly http1: TlsConnection;
    readonly http2: Http2Connection;
    readonly webSocket: WebSocketConnection;
    readonly tcp: TcpConnection;
  }

  const at = (): string => mesh.workload('steady/server').ip;

  async function opened(): Promise<Opened> {
    return {
      http1: new TlsConnection(at(), 8080, own),
      http2: await Http2Connection.open(at(), 8080, own),
      webSocket: await WebSocketConnection.open(at(), 8080, own),
      tcp: await TcpConnection.open(at(), 9090, own),
    };
  }

  async function answers({ http1, http2, webSocket, tcp }: Opened): Promise<object> {
    return {
      http1: await http1.status(),
      http2: await http2.status(),
      webSocket: await webSocket.works(),
      tcp: await tcp.works(),
    };
  }

  /** What Envoy counts when it changes a listener, and what it is draining. */
  async function replaced(): Promise<readonly string[]> {
    const text = await mesh.admin('steady/server', '/stats?filter=listener_manager.*(modified|in_place|draining|added|removed)');
    return text.trim().split('\n').sort();
  }

  async function fresh(): Promise<object> {
    const connections = await opened();
    try {
      return { ...(await answers(connections)), webSocket: connections.webSocket.status };
    } finally {
      closeAll(connections);
    }
  }

  function closeAll({ http1, http2, webSocket, tcp }: Opened): void {
    for (const connection of [http1, http2, webSocket, tcp]) connection.close();
  }

  const ALL_WORK = { http1: '200', http2: '200', webSocket: true, tcp: true };
  const FRESH_WORK = { ...ALL_WORK, webSocket: 101 };
  const FRESH_DENIED = { http1: '403', http2: '403', webSocket: 403, tcp: false };

  before('start a server', async () => {
    const image = `gatehouse/test-steady=${process.execPath} ${join(root, 'test', 'feature', 'steady-server.mjs')}`;
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'steady')], capture, ['--image', image]);
    own = await meshCertificate(mesh, 'steady', 'server', mesh.workload('steady/server').pod);
    open = await opened();
    assert.deepEqual(await answers(open), ALL_WORK);
    untouched = await replaced();
  });

  after(async () => {
    if (open !== undefined) closeAll(open);
    await mesh?.stop();
  });

  async function told(): Promise<ReadonlySet<string>> {
    return new Set((await mesh.edges()).map((edge) => `${edge.path ?? 'TCP'} ${edge.decision} ${edge.reason}`));
  }

  async function reported(what: string): Promise<void> {
    await eventually(`"${what}" in the report`, async () => ((await told()).has(what) ? true : undefined));
  }

  async function unharmed(): Promise<void> {
    assert.deepEqual(await replaced(), untouched, 'a listener was replaced');
    assert.equal(open.http1.ports.size, 1, 'the HTTP/1.1 connection was closed');
    assert.equal(open.http2.goneAway, false, 'the HTTP/2 connection was sent away');
  }

  it('a new DENY: the next request is denied, on connections that stay open; streams and TCP connections go on', async () => {
    await mesh.apply(policy('DENY', SERVER), 'policy.yaml');
    assert.deepEqual(await answers(open), { http1: '403', http2: '403', webSocket: true, tcp: true });
    assert.deepEqual(await fresh(), FRESH_DENIED);
    await unharmed();
  });

  it('a default denial in its place', async () => {
    await mesh.apply(policy('ALLOW', 'cluster.local/ns/steady/sa/somebody-else'), 'policy.yaml');
    assert.deepEqual(await answers(open), { http1: '403', http2: '403', webSocket: true, tcp: true });
    assert.deepEqual(await fresh(), FRESH_DENIED);
    await unharmed();
    // Which policies let nobody in is known as long as they are there: the records are waited for before they go.
    for (const what of ['/', '/socket', 'TCP']) await reported(`${what} DENY no rule of steady/callers allowed it`);
  });

  it('an ALLOW: the same connections are served again', async () => {
    await mesh.apply(policy('ALLOW', SERVER), 'policy.yaml');
    assert.deepEqual(await answers(open), ALL_WORK);
    assert.deepEqual(await fresh(), FRESH_WORK);
    await unharmed();
  });

  it('no policy any more', async () => {
    await mesh.remove('policy.yaml');
    assert.deepEqual(await answers(open), ALL_WORK);
    assert.deepEqual(await fresh(), FRESH_WORK);
    await unharmed();
  });

  it('the audit tells by which rule each was let in or denied, on HTTP and on TCP', async () => {
    for (const what of ['/', '/socket', 'TCP'])
      for (const [decision, reason] of [
        ['ALLOW', 'no ALLOW policy applies'],
        ['ALLOW', 'rule 0 of steady/callers allowed it'],
        ['DENY', 'rule 0 of steady/callers denied it'],
        ['DENY', 'no rule of steady/callers allowed it'],
      ] as const)
        await reported(`${what} ${decision} ${reason}`);
  });

  it('a revoked certificate: the chains of TCP ports drain, HTTP connections stay, and it is refused at once elsewhere', async () => {
    const stolen = await meshCertificate(mesh, 'steady', 'server', mesh.workload('steady/server').pod);
    const [tcp, http] = [await TcpConnection.open(at(), 9090, stolen), new TlsConnection(at(), 8080, stolen)];
    assert.deepEqual([await tcp.works(), await http.status()], [true, '200']);
    const { serialNumber } = new X509Certificate(stolen.cert);
    const done = await mesh.gatehouse('ca', 'revoke', '--serial', serialNumber, '--ca-dir', join(mesh.ready.runDir, 'ca'));
    assert.equal(done.code, 0, done.stderr);
    await eventually('its request to be denied', async () => ((await http.status()) === '403' ? true : undefined));
    await eventually('the chains of TCP ports to drain', async () =>
      (await replaced()).some((line) => /total_filter_chains_draining: [1-9]/.test(line)) ? true : undefined,
    );
    assert.ok((await replaced()).includes('listener_manager.total_listeners_draining: 0'));
    const { http1, http2, webSocket } = open;
    assert.deepEqual([await http1.status(), await http2.status(), await webSocket.works()], ['200', '200', true]);
    assert.deepEqual([http1.ports.size, http2.goneAway], [1, false]);
    assert.deepEqual(await fresh(), FRESH_WORK);
    // Envoy closes what is left when the drain is over: 45 seconds.
    if (capture === 'explicit')
      await eventually('its TCP connection to end', async () => ((await tcp.works()) ? undefined : true), 60_000);
    tcp.close();
    http.close();
    open.tcp.close();
    open = { ...open, tcp: await TcpConnection.open(at(), 9090, own) };
    await eventually(
      'the drain to be over',
      async () => ((await replaced()).includes('listener_manager.total_filter_chains_draining: 0') ? true : undefined),
      60_000,
    );
  });

  it('another mode of mutual TLS for the TCP port drains connections to that port, and to no other', async () => {
    await mesh.apply(portMode(9090, 'PERMISSIVE'), 'modes.yaml');
    // Envoy ends them when the drain is over, which is 45 seconds.
    await eventually('its filter chain to drain', async () =>
      (await replaced()).includes('listener_manager.total_filter_chains_draining: 1') ? true : undefined,
    );
    assert.ok((await replaced()).includes('listener_manager.total_listeners_draining: 0'));
    const { http1, http2, webSocket } = open;
    assert.deepEqual([await http1.status(), await http2.status(), await webSocket.works()], ['200', '200', true]);
    assert.deepEqual([http1.ports.size, http2.goneAway], [1, false]);
    assert.deepEqual(await fresh(), FRESH_WORK);
  });
});
