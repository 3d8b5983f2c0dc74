// Two meshes of different trust domains on one machine, each with a root of its own: their workloads call each other over mutual TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { eventually } from '../eventually.ts';
import { freePort } from '../sds/free-port.ts';
import { issuedBy } from './issued-by.ts';
import { field } from './load.ts';
import { get, RunningMesh, root } from './running-mesh.ts';

const PAIR = join(root, 'test', 'feature', 'meshes', 'pair');

/** The other mesh's server as a service of ours: where it is, and who it must be. */
function otherServer(trustDomain: string, address: string): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: other-server
  namespace: pair
spec:
  hosts:
  - server.${trustDomain}
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - {number: 8080, name: http, protocol: HTTP}
  endpoints:
  - address: ${address}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: other-server
  namespace: pair
spec:
  host: server.${trustDomain}
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
      subjectAltNames:
      - spiffe://${trustDomain}/ns/pair/sa/server
    connectionPool:
      http:
        maxRequestsPerConnection: 1
`;
}

/** Only that client may call the server. */
function onlyCaller(principal: string): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: server
  namespace: pair
spec:
  selector:
    matchLabels: {app: server}
  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["${principal}"]
`;
}

describe('federation of two meshes', function () {
  this.timeout(240_000);
  let folder: string;
  let ours: RunningMesh;
  let theirs: RunningMesh;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-federation-'));
    const [ourPort, theirPort] = [await freePort(), await freePort()];
    const web = [join(folder, 'web.pem'), join(folder, 'web.key')] as const;
    const made = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-out',
      web[0],
      '-keyout',
      web[1],
    ];
    execFileSync('openssl', [...made, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], {
      stdio: 'ignore',
    });
    const config = (domain: string): string => {
      const file = join(folder, `${domain}.yaml`);
      writeFileSync(file, `trustDomain: ${domain}\n`);
      return file;
    };
    const start = (domain: string, flags: readonly string[]) =>
      RunningMesh.start([PAIR], 'explicit', ['--mesh-config', config(domain), '--bundle-refresh-hint', '1s', ...flags]);
    // We follow them by a Web PKI certificate, they us by the SPIFFE ID of our control plane.
    ours = await start('a.test', [
      ...['--bundle-endpoint', `127.0.0.1:${ourPort}`],
      ...['--federate', `b.test=https://localhost:${theirPort}/,roots=${web[0]}`],
    ]);
    const profile = `profile=https_spiffe,endpointId=spiffe://a.test/gatehouse/bundle-endpoint,bundle=${ours.ready.controlPlane.rootCert}`;
    theirs = await start('b.test', [
      ...['--bundle-endpoint', `127.0.0.1:${theirPort}`, '--bundle-endpoint-cert', web[0], '--bundle-endpoint-key', web[1]],
      ...['--federate', `a.test=https://127.0.0.1:${ourPort}/,${profile}`],
    ]);
    await ours.apply(otherServer('b.test', theirs.workload('pair/server').ip), 'other.yaml');
    await theirs.apply(otherServer('a.test', ours.workload('pair/server').ip), 'other.yaml');
  });
  after(async () => {
    await Promise.all([ours?.stop(), theirs?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  const call = async (mesh: RunningMesh, host: string): Promise<string> => {
    const reply = await get(mesh.gateway, `/call?url=http://${host}:8080/`, { host: 'pair.localhost' });
    return `${String(field(reply.body, 'upstream', 'target', 'status'))} ${reply.body}`;
  };
  const calls = (mesh: RunningMesh, host: string, status: string): Promise<string> =>
    eventually(`${host} to answer ${status}`, async () => {
      const answer = await call(mesh, host).catch(() => '');
      return answer.startsWith(`${status} `) ? answer : undefined;
    }).catch(async (error: Error) => assert.fail(`${error.message}: ${await call(mesh, host)}\n${mesh.log()}`));

  it('each calls the other, and still itself', async () => {
    await calls(ours, 'server.b.test', '200');
    await calls(theirs, 'server.a.test', '200');
    await calls(ours, 'server', '200');
    await calls(theirs, 'server', '200');
  });

  it('the control plane tells how it stands with the other bundle', async () => {
    const { body } = await get(ours.ready.controlPlane.http, '/metrics');
    assert.match(body, /^gatehouse_federation_roots\{trust_domain="b\.test"\} 1$/m);
    assert.match(body, /^gatehouse_federation_failing\{trust_domain="b\.test"\} 0$/m);
    const [, fetched] = /^gatehouse_federation_last_fetch_timestamp_seconds\{[^}]*\} (\S+)$/m.exec(body) ?? [];
    assert.ok(Date.now() / 1000 - Number(fetched) < 10, fetched);
  });

  it('policy names callers of the other trust domain', async () => {
    await theirs.apply(onlyCaller('a.test/ns/pair/sa/client'), 'only.yaml');
    await calls(ours, 'server.b.test', '200');
    await calls(theirs, 'server', '403');
    await theirs.apply(onlyCaller('b.test/ns/pair/sa/client'), 'only.yaml');
    await calls(ours, 'server.b.test', '403');
    await calls(theirs, 'server', '200');
    await theirs.remove('only.yaml');
  });

  it('no trust domain vouches for another: a certificate of ours that says it is of theirs opens nothing', async () => {
    const server = theirs.workload('pair/server').ip;
    // Their own roots, ours, and a name of either.
    const tries = [
      ['a.test', 'a.test', true],
      ['a.test', 'b.test', false],
      ['b.test', 'b.test', true],
      ['b.test', 'a.test', false],
    ] as const;
    for (const [signer, name, expected] of tries) {
      const mesh = signer === 'a.test' ? ours : theirs;
      const certificate = await issuedBy(join(mesh.ready.runDir, 'ca'), `spiffe://${name}/ns/pair/sa/client`);
      const roots = readFileSync(theirs.ready.controlPlane.rootCert, 'utf8');
      const answer = await answerTo(server, certificate, roots);
      assert.equal(answer === '200', expected, `signed by ${signer}, named ${name}: ${answer}`);
    }
  });

  it('a server whose identity is revoked is called no more, by callers of its own trust domain', async () => {
    const order = (...more: readonly string[]) =>
      theirs.gatehouse(
        'ca',
        'revoke',
        '--identity',
        'b.test/ns/pair/sa/server',
        ...more,
        '--ca-dir',
        join(theirs.ready.runDir, 'ca'),
      );
    await calls(theirs, 'server', '200');
    const revoked = await order('--reason', 'keyCompromise');
    assert.equal(revoked.code, 0, revoked.stderr);
    await calls(theirs, 'server', '503');
    // Nobody else is touched: the list is of one trust domain, and of one identity.
    await calls(ours, 'server', '200');
    await calls(theirs, 'server.a.test', '200');
    assert.equal((await order('--undo')).code, 0);
    await calls(theirs, 'server', '200');
  });

  it('a trust domain that is gone from the network stays trusted by its last good bundle', async () => {
    const status = await eventually('a bundle kept', () => {
      const text = readFileSync(join(ours.ready.runDir, 'ca', 'federation', 'b.test.json'), 'utf8');
      return text === '' ? undefined : text;
    });
    assert.match(status, /"spiffe_sequence": 1/);
    process.kill(theirs.ready.controlPlane.pid, 'SIGSTOP');
    try {
      await calls(ours, 'server.b.test', '200');
    } finally {
      process.kill(theirs.ready.controlPlane.pid, 'SIGCONT');
    }
  });
});

/** What a server of the mesh answers to an HTTP request over mutual TLS with this certificate: its status, or why there is none. */
function answerTo(host: string, { cert, key }: { readonly cert: string; readonly key: string }, ca: string): Promise<string> {
  return new Promise((resolve) => {
    const context = { cert, key, ca, servername: 'server', checkServerIdentity: () => undefined, ALPNProtocols: ['istio'] };
    const socket = connect({ host, port: 8080, ...context });
    let answer = '';
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: server:8080\r\nconnection: close\r\n\r\n'));
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1] ?? 'closed'));
  });
}
