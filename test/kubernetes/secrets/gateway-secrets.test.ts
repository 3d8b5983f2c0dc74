// Secrets that Gateways of a cluster name: a gateway's agent reads them by its own ServiceAccount, and its Envoy ends TLS with them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { accessObjects } from '../../../kubernetes/install/access.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { RunningServe } from '../../cli/running-serve.ts';
import { eventually } from '../../eventually.ts';
import { freePort } from '../../routing/envoy/upstream.ts';
import { withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';
import { RunningAgent } from '../running-agent.ts';

const IP = '127.0.9.1';
const WAIT_MS = 60_000;

const secret = (namespace: string, name: string, data: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData: data,
});
const pair = ({ cert, key }: Issued): Readonly<Record<string, string>> => ({ 'tls.crt': cert, 'tls.key': key });

const gateway = (name: string, port: number, tls: object): readonly object[] => [
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace: 'edge' },
    spec: {
      selector: { istio: 'way-in' },
      servers: [{ port: { number: port, name: 'https', protocol: 'HTTPS' }, hosts: [`${name}.test`], tls }],
    },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name, namespace: 'edge' },
    spec: { hosts: [`${name}.test`], gateways: [name], http: [{ directResponse: { status: 200, body: { string: name } } }] },
  },
];

/** A Role for these Secrets, or for all of the namespace, bound to a gateway's ServiceAccount. */
const role = (namespace: string, account: string, names?: readonly string[]): readonly object[] => [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'secrets', namespace },
    rules: [
      {
        apiGroups: [''],
        resources: ['secrets'],
        verbs: ['get', 'list', 'watch'],
        ...(names !== undefined && { resourceNames: names }),
      },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'secrets', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'secrets' },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'edge' }],
  },
];

describe('Secrets of Gateways in a cluster', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let serve: RunningServe | undefined;
  let agent: RunningAgent | undefined;
  let authority: TestAuthority;
  let other: TestAuthority;
  const ports: Record<'one' | 'named' | 'mutual', number> = { one: 0, named: 0, mutual: 0 };

  before(async function () {
    const envoy = envoyOrSkip(this);
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-secrets-'));
    [authority, other] = [await TestAuthority.create(), await TestAuthority.create()];
    for (const name of [DEFAULTS.namespace, 'edge'])
      await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await api().apply(
      looseDefinition('networking.istio.io', 'VirtualService'),
      looseDefinition('networking.istio.io', 'Gateway'),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'way-in', namespace: 'edge' } },
    );
    const keys = await api().request('GET', '/openid/v1/jwks');
    writeFileSync(join(dir, 'keys.json'), JSON.stringify(keys.body));
    // With the rights of an installation: of Secrets only those of its own namespace.
    await api().apply(...accessObjects(DEFAULTS));
    await eventually('Gateways can be written', async () => {
      const { status } = await api().request('GET', '/apis/networking.istio.io/v1/gateways');
      return status === 200 ? true : undefined;
    });
    for (const name of ['one', 'named', 'mutual'] as const) ports[name] = await freePort();
    await api().apply(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'way-in-1',
          namespace: 'edge',
          labels: { istio: 'way-in' },
          annotations: {
            'gatehouse.dev/capture': 'explicit',
            'gatehouse.dev/app-address': '127.0.0.1',
            'gatehouse.dev/bind-address': IP,
          },
        },
        spec: { nodeName: 'n1', serviceAccountName: 'way-in', containers: [{ name: 'istio-proxy', image: 'proxy' }] },
      },
      secret('edge', 'one', pair(await authority.issueForHost('one.test'))),
      ...gateway('one', ports.one, { mode: 'SIMPLE', credentialName: 'one' }),
      ...gateway('mutual', ports.mutual, { mode: 'MUTUAL', credentialName: 'mutual' }),
    );
    await api().request('PATCH', '/api/v1/namespaces/edge/pods/way-in-1/status', {
      status: { phase: 'Running', podIP: IP, podIPs: [{ ip: IP }], conditions: [{ type: 'Ready', status: 'True' }] },
    });
    const kubeconfig = await api().kubeconfigFor(DEFAULTS.namespace, 'gatehouse');
    serve = new RunningServe(
      ['--kubernetes', '--kubeconfig', kubeconfig, '--system-namespace', DEFAULTS.namespace],
      dir,
      ...['--jwks', join(dir, 'keys.json'), '--token-issuer', api().issuer],
    );
    const { grpc, rootCert } = await serve.ready();
    agent = new RunningAgent({
      folder: join(dir, 'way-in'),
      envoy,
      grpc: grpc ?? assert.fail('no address'),
      rootCert,
      namespace: 'edge',
      serviceAccount: 'way-in',
      pod: 'way-in-1',
      ip: IP,
      kind: 'router',
      token: await api().token('edge', 'way-in', { audiences: ['istio-ca'], pod: 'way-in-1' }),
      args: ['--kubernetes-secrets', '--kubeconfig', await api().kubeconfigFor('edge', 'way-in')],
    });
  });
  after(async () => {
    await agent?.stop();
    await serve?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  async function open(name: keyof typeof ports, options: ConnectionOptions = {}): Promise<TLSSocket | undefined> {
    const socket = connect({ host: IP, port: ports[name], servername: `${name}.test`, ca: authority.root, ...options });
    socket.on('error', () => undefined);
    socket.setTimeout(8_000, () => socket.destroy());
    try {
      await once(socket, 'secureConnect');
      return socket;
    } catch {
      socket.destroy();
      return undefined;
    }
  }

  async function answered(socket: TLSSocket, host: string): Promise<boolean> {
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    try {
      const [chunk]: unknown[] = await once(socket, 'data');
      return String(chunk).startsWith('HTTP/1.1 200');
    } catch {
      return false;
    }
  }

  /** The serial of the certificate that is shown to a call that is answered. */
  async function shown(name: keyof typeof ports, options: ConnectionOptions = {}): Promise<string | undefined> {
    const socket = await open(name, options);
    if (socket === undefined) return undefined;
    const serial = socket.getPeerCertificate().serialNumber;
    const good = await answered(socket, `${name}.test`);
    socket.destroy();
    return good ? serial : undefined;
  }

  it('without a right there is no TLS, and the log says which right is missing; with it there is, without a restart', async () => {
    await eventually(
      'the agent was refused',
      () => (/may not read a Secret that a Gateway names[^\n]*secrets in edge/.test(agent?.said ?? '') ? true : undefined),
      WAIT_MS,
    );
    assert.equal(await open('one'), undefined);
    await api().apply(...role('edge', 'way-in'));
    await eventually('the certificate of the Secret is shown', () => shown('one'), WAIT_MS);
  });

  it('a Secret that changes is shown to new connections; open ones go on', async () => {
    const before = await eventually('the first certificate', () => shown('one'));
    const kept = (await open('one')) ?? assert.fail('no connection');
    assert.ok(await answered(kept, 'one.test'));
    await api().apply(secret('edge', 'one', pair(await authority.issueForHost('one.test'))));
    await eventually('another certificate', async () => ((await shown('one')) ?? before) !== before || undefined, WAIT_MS);
    assert.ok(await answered(kept, 'one.test'), 'the connection of before');
    kept.destroy();
  });

  it('a key of another certificate, or a Secret that is deleted, leaves the last good one', async () => {
    const before = await eventually('a certificate', () => shown('one'));
    const [a, b] = [await authority.issueForHost('one.test'), await authority.issueForHost('one.test')];
    await api().apply(secret('edge', 'one', pair({ cert: a.cert, key: b.key })));
    await eventually(
      'the agent says so',
      () => (/the key is not the one of the certificate/.test(agent?.said ?? '') ? true : undefined),
      WAIT_MS,
    );
    assert.equal(await shown('one'), before);
    await api().kubectl(['delete', 'secret', 'one', '-n', 'edge']);
    await eventually(
      'the agent says so',
      () => (/there is no such Secret/.test((agent?.said ?? '').split('the key is not the one').at(-1) ?? '') ? true : undefined),
      WAIT_MS,
    );
    assert.equal(await shown('one'), before);
    await api().apply(secret('edge', 'one', pair(a)));
    await eventually('the new one', async () => ((await shown('one')) ?? before) !== before || undefined, WAIT_MS);
  });

  it('clients are checked by the Secret NAME-cacert, and by its new authorities when it changes', async () => {
    await api().apply(
      secret('edge', 'mutual', { ...pair(await authority.issueForHost('mutual.test')), 'ca.crt': other.root }),
      secret('edge', 'mutual-cacert', { 'ca.crt': authority.root }),
    );
    const [ours, theirs] = [await authority.issue('spiffe://x/client'), await other.issue('spiffe://x/client')];
    await eventually('a client of the authority', () => shown('mutual', ours), WAIT_MS);
    assert.equal(await shown('mutual', theirs), undefined);
    await api().apply(secret('edge', 'mutual-cacert', { 'ca.crt': other.root }));
    await eventually('a client of the other one', () => shown('mutual', theirs), WAIT_MS);
    assert.equal(await shown('mutual', ours), undefined);
  });

  it('while the API server is away what was read is shown, and afterwards what changed', async () => {
    const before = await eventually('a certificate', () => shown('one'));
    await api().kill();
    assert.equal(await shown('one'), before);
    await api().start();
    await api().apply(secret('edge', 'one', pair(await authority.issueForHost('one.test'))));
    await eventually('another certificate', async () => ((await shown('one')) ?? before) !== before || undefined, WAIT_MS);
  });

  it('a Role for one name is enough for it, and no more', async () => {
    await api().apply(
      ...role('edge', 'way-in', ['named']),
      secret('edge', 'named', pair(await authority.issueForHost('named.test'))),
    );
    await api().apply(...gateway('named', ports.named, { mode: 'SIMPLE', credentialName: 'named' }));
    await eventually('its certificate', () => shown('named'), WAIT_MS);
  });
});
