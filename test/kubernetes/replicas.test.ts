// Several replicas of the control plane on one cluster, as processes: one authority, whoever is asked, and nobody who cannot be killed.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MAIN, RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { certificateFor } from '../feature/mesh-certificate.ts';
import { at, withApiServer } from './api-server.ts';

describe('replicas of the control plane in a cluster', function () {
  this.timeout(180_000);
  const api = withApiServer();
  let dir: string;
  const replicas: { readonly name: string; readonly serve: RunningServe; readonly caDir: string }[] = [];

  const start = (name: string): void => {
    const folder = join(dir, name);
    const serve = new RunningServe(['--kubernetes', '--kubeconfig', api().kubeconfig], folder);
    replicas.push({ name, serve, caDir: join(folder, 'ca') });
  };

  before(async function () {
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gh-replicas-'));
    for (const name of ['istio-system', 'shop']) await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await eventually('the namespace has its ServiceAccount', async () =>
      (await api().request('GET', '/api/v1/namespaces/shop/serviceaccounts/default')).status === 200 ? true : undefined,
    );
    start('one');
    start('two');
  });
  after(async () => {
    for (const { serve } of replicas) await serve.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const issue = async ({ serve }: (typeof replicas)[number]): Promise<readonly string[]> => {
    const { grpc, rootCert } = await serve.ready();
    const token = await api().token('shop', 'default', { audiences: ['istio-ca'] });
    const { chain } = await certificateFor({ target: grpc ?? '', rootCert, namespace: 'shop', serviceAccount: 'default', token });
    return chain;
  };
  const holder = async (): Promise<unknown> => {
    const path = '/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/gatehouse-leader';
    return at((await api().request('GET', path)).body, 'spec', 'holderIdentity');
  };

  it('sign under one root, for tokens that the API server knows', async () => {
    const roots = await Promise.all(replicas.map(async ({ serve }) => readFileSync((await serve.ready()).rootCert, 'utf8')));
    assert.equal(new Set(roots).size, 1);
    const root = new X509Certificate(roots[0] ?? '');
    for (const replica of replicas) {
      const [leaf = ''] = await issue(replica);
      const certificate = new X509Certificate(leaf);
      assert.equal(certificate.subjectAltName, 'URI:spiffe://cluster.local/ns/shop/sa/default');
      assert.ok(certificate.checkIssued(root));
      assert.ok(certificate.verify(root.publicKey));
    }
  });

  it('put the trust bundle into namespaces', async () => {
    const path = '/api/v1/namespaces/shop/configmaps/istio-ca-root-cert';
    await eventually('the bundle is there', async () => {
      const { body } = await api().request('GET', path);
      const text = at(body, 'data', 'root-cert.pem');
      return typeof text === 'string' && text === readFileSync(join(replicas[0]?.caDir ?? '', 'root-cert.pem'), 'utf8')
        ? true
        : undefined;
    });
  });

  it('all refuse who was cut off at one of them', async () => {
    const [one, two] = replicas;
    assert.ok(one && two);
    const revoke = ['ca', 'revoke', '--ca-dir', one.caDir, '--identity', 'cluster.local/ns/shop/sa/default'];
    await promisify(execFile)(process.execPath, [...MAIN, ...revoke]);
    await assert.rejects(issue(one), /revoked/);
    await eventually('the other refuses as well', async () =>
      issue(two).then(
        () => undefined,
        (error: unknown) => (/revoked/.test(String(error)) ? true : assert.fail(String(error))),
      ),
    );
    await promisify(execFile)(process.execPath, [...MAIN, ...revoke, '--undo']);
    await eventually('the other takes it again', () =>
      issue(two).then(
        () => true,
        () => undefined,
      ),
    );
  });

  it('go on when the one that leads is killed, and another leads', async () => {
    const first = await holder();
    assert.equal(typeof first, 'string');
    const leader = await eventually('the leader is known', () =>
      Promise.resolve(replicas.find(({ serve }) => serve.errors.includes('this replica leads'))),
    );
    const rest = replicas.filter((replica) => replica !== leader);
    replicas.splice(0, replicas.length, ...rest);
    await leader.serve.kill();
    await issue(rest[0] ?? assert.fail());
    await eventually('another leads', async () => ((await holder()) === first ? undefined : true), 60_000);
    const later = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } };
    await api().apply(later);
    await eventually('a new namespace gets the bundle', async () =>
      (await api().request('GET', '/api/v1/namespaces/later/configmaps/istio-ca-root-cert')).status === 200 ? true : undefined,
    );
  });
});
