// What an authority keeps in a cluster, in a real API server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { hashOfJoinToken, newJoinToken } from '../../../ca/authenticate/join-token.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { openJwtAuthority } from '../../../ca/jwt-svid/authority.ts';
import { jwtKeyStore } from '../../../ca/jwt-svid/key-file.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { openAuthority } from '../../../ca/authority.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { openRevocations, type Revocations } from '../../../ca/revocation/revocations.ts';
import { parseIdentity } from '../../../ca/revocation/revocation.ts';
import { apiClient, type ApiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { sharedJoinTokens } from '../../../kubernetes/authority/join-tokens.ts';
import { sharedJwtKeys } from '../../../kubernetes/authority/jwt-keys.ts';
import { sharedPageSessions } from '../../../kubernetes/authority/page-sessions.ts';
import { publishBundle } from '../../../kubernetes/authority/publish-bundle.ts';
import { sharedRevocations } from '../../../kubernetes/authority/revocations.ts';
import { clusterRoot } from '../../../kubernetes/authority/root.ts';
import { reviewTokens } from '../../../kubernetes/authority/token-review.ts';
import { sharedSessionKeys } from '../../../cli/serve/page-session-keys.ts';
import { eventually } from '../../eventually.ts';
import { at, withApiServer } from '../api-server.ts';

const log = pino({ enabled: false });
const clock = (): Date => new Date();
const parsedDomain = parseTrustDomain('cluster.local');
assert.ok(parsedDomain.ok);
const trustDomain = parsedDomain.value;

describe('the authority in a cluster', function () {
  this.timeout(120_000);
  const api = withApiServer();
  const folders: string[] = [];
  let client: ApiClient;

  before(async () => {
    client = apiClient(await clusterAccess({ file: api().kubeconfig, context: undefined }));
  });
  after(() => {
    client.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'gh-cluster-ca-'));
    folders.push(made);
    return made;
  };
  const namespace = async (name: string): Promise<string> => {
    await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  };
  const rootOf = (dir: string): string => readFileSync(join(dir, 'root-cert.pem'), 'utf8');
  const secret = (name: string, where: string, data: Readonly<Record<string, string>>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: where },
    stringData: data,
  });

  it('is made once, however many replicas start at the same moment, and is the same for one that starts later', async () => {
    const where = await namespace('many');
    const dirs = Array.from({ length: 5 }, folder);
    const stops = await Promise.all(dirs.map((dir) => clusterRoot({ client, namespace: where, dir, trustDomain, clock, log })));
    const later = folder();
    stops.push(await clusterRoot({ client, namespace: where, dir: later, trustDomain, clock, log }));
    for (const stop of stops) stop();
    assert.equal(new Set([...dirs, later].map(rootOf)).size, 1);
    assert.equal(statSync(join(later, 'ca-key.pem')).mode & 0o777, 0o600);
  });

  it('is what was plugged in as cacerts, and follows it while it runs', async () => {
    const where = await namespace('plugged');
    const [first, second] = [await createRoot(trustDomain, clock()), await createRoot(trustDomain, clock())];
    const files = ({ keyPem, certificatePem }: typeof first, roots = certificatePem) =>
      secret('cacerts', where, { 'ca-key.pem': keyPem, 'ca-cert.pem': certificatePem, 'root-cert.pem': roots });
    await api().apply(files(first));
    const dir = folder();
    const stop = await clusterRoot({ client, namespace: where, dir, trustDomain, clock, log });
    const authority = await openAuthority({ dir, trustDomain, clock, log });
    try {
      assert.equal(authority.rootCertPem.trim(), first.certificatePem.trim());
      // Both trusted while the second signs.
      await api().apply(files(second, `${second.certificatePem}${first.certificatePem}`));
      await eventually(
        'the second root is trusted',
        () => Promise.resolve(authority.rotation.rootsPem().includes(second.certificatePem.trim()) ? true : undefined),
        30_000,
      );
      // A key of another leaves the last good one.
      const before = rootOf(dir);
      await api().apply(secret('cacerts', where, { 'ca-key.pem': first.keyPem }));
      await api().apply(files(second));
      await eventually(
        'the good one after it is taken',
        () => Promise.resolve(rootOf(dir) === before ? undefined : true),
        30_000,
      );
      assert.equal(rootOf(dir), second.certificatePem);
    } finally {
      stop();
      await authority.close();
    }
  });

  it('asks the API server about tokens', async function () {
    if (!api().hasControllers) return this.skip();
    const review = reviewTokens(client);
    const token = await api().token('default', 'default', { audiences: ['istio-ca'] });
    const signal = AbortSignal.timeout(20_000);
    const good = await review(token, ['istio-ca'], signal);
    assert.equal(good.authenticated, true);
    assert.equal(good.user?.username, 'system:serviceaccount:default:default');
    assert.deepEqual(good.audiences, ['istio-ca']);
    assert.equal((await review(`${token}x`, ['istio-ca'], signal)).authenticated, false);
    assert.equal((await review(token, ['another'], signal)).authenticated, false);
  });

  it('cuts an identity off at every replica, and forgets none when two are cut off at once', async () => {
    const where = await namespace('revoking');
    const open = async (): Promise<{ readonly list: Revocations; stop: () => void }> => {
      const shared = sharedRevocations(client, where);
      const list = await openRevocations({
        store: shared.store,
        findIssued: () => Promise.resolve([]),
        clock,
        every: () => () => {},
        log,
      });
      return { list, stop: shared.follow(() => void list.storeChanged()) };
    };
    const [one, other] = [await open(), await open()];
    const identity = (account: string) => {
      const id = parseIdentity(`spiffe://cluster.local/ns/shop/sa/${account}`);
      assert.ok(id.ok);
      return { kind: 'identity', identity: id.value } as const;
    };
    const why = { reason: 'stolen', by: 'test' };
    try {
      await one.list.revoke(identity('cart'), why);
      await eventually('the other replica knows', () => Promise.resolve(other.list.revoked(identity('cart').identity)), 20_000);
      const done = await Promise.allSettled([one.list.revoke(identity('a'), why), other.list.revoke(identity('b'), why)]);
      const refused = done.filter(({ status }) => status === 'rejected').length;
      assert.ok(refused <= 1);
      await eventually(
        'both know the same',
        () => {
          const [here, there] = [one, other].map(({ list }) =>
            list
              .list()
              .map((entry) => entry.kind === 'identity' && entry.identity)
              .sort(),
          );
          return Promise.resolve(
            here?.length === 3 - refused && JSON.stringify(here) === JSON.stringify(there) ? true : undefined,
          );
        },
        20_000,
      );
    } finally {
      one.stop();
      other.stop();
      await one.list.close();
      await other.list.close();
    }
  });

  it('lets a join token be used once, whichever replicas are asked at the same moment', async () => {
    const where = await namespace('joining');
    const stores = Array.from({ length: 3 }, () => sharedJoinTokens(client, where));
    const [store] = stores;
    assert.ok(store);
    const identity = parseSpiffeId('spiffe://cluster.local/ns/vm/sa/db');
    assert.ok(identity.ok);
    const tokens = Array.from({ length: 10 }, () => hashOfJoinToken(newJoinToken(randomBytes)) ?? assert.fail());
    for (const hash of tokens)
      await store.create({ hash, identity: identity.value, created: clock(), expires: new Date(Date.now() + 60_000) });
    for (const hash of tokens) {
      assert.equal((await store.find(hash))?.identity, identity.value);
      const used = await Promise.all([...stores, ...stores].map((one) => one.use(hash)));
      assert.equal(used.filter(Boolean).length, 1, JSON.stringify(used));
      assert.equal(await store.find(hash), undefined);
    }
    assert.equal((await store.list()).filter(({ used }) => used).length, tokens.length);
    const [first] = tokens;
    assert.ok(first);
    assert.equal(await store.delete(first), true);
    assert.equal(await store.delete(first), false);
    await store.prune(new Date(Date.now() + 120_000));
    assert.deepEqual(await store.list(), []);
  });

  it('signs JWT-SVIDs with keys that all replicas publish, also after one of them made the next', async () => {
    const where = await namespace('jwt');
    let now = Date.now();
    const identity = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart');
    assert.ok(identity.ok);
    const ticks: (() => void)[] = [];
    const open = () =>
      openJwtAuthority({
        ...{ keyPeriodSeconds: 3600, keyLeadSeconds: 600, maxTtlSeconds: 300 },
        trustDomain,
        store: jwtKeyStore(sharedJwtKeys(client, where)),
        authenticate: () =>
          Promise.resolve({ ok: true, value: { id: identity.value, evidence: { kind: 'token', subject: '' } } }),
        commit: () => Promise.resolve(),
        clock: () => new Date(now),
        every(_, task) {
          ticks.push(task);
          return () => {};
        },
        log,
      });
    const replicas = await Promise.all(Array.from({ length: 5 }, open));
    try {
      const kids = () => replicas.map((replica) => replica.bundle().keys.map(({ kid }) => kid));
      assert.equal(new Set(kids().map(String)).size, 1, 'one key, made once');
      now += 3100_000;
      for (const tick of ticks) tick();
      await eventually(
        'all publish the same two keys',
        () => {
          const all = kids();
          return Promise.resolve(new Set(all.map(String)).size === 1 && all[0]?.length === 2 ? true : undefined);
        },
        30_000,
      );
    } finally {
      for (const replica of replicas) await replica.close();
    }
  });

  it("seals the page's sessions with one key at all replicas, and with another at all of them once the Secret is deleted", async () => {
    const where = await namespace('page-sessions');
    const path = `/api/v1/namespaces/${where}/secrets/gatehouse-page-sessions`;
    const replicas = await Promise.all(
      Array.from({ length: 5 }, () => sharedSessionKeys(sharedPageSessions(client, where), clock, log)),
    );
    try {
      const keys = (): readonly string[] =>
        replicas.map((replica) =>
          replica
            .current()
            .map((key) => Buffer.from(key).toString('base64'))
            .join(),
        );
      const [first] = keys();
      assert.equal(new Set(keys()).size, 1, 'one key, made once');
      await api().request('DELETE', path);
      await eventually(
        'all have the same other key',
        () => Promise.resolve(new Set(keys()).size === 1 && keys()[0] !== first ? true : undefined),
        30_000,
      );
    } finally {
      for (const replica of replicas) replica.close();
    }
  });

  it('puts the trust bundle into every namespace, puts it back, and leaves what is not its own', async () => {
    const [mine, others] = [await namespace('bundle'), await namespace('bundle-foreign')];
    await api().apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'istio-ca-root-cert', namespace: others },
      data: { 'root-cert.pem': "another mesh's" },
    });
    const read = async (where: string, name: string): Promise<unknown> =>
      at((await api().request('GET', `/api/v1/namespaces/${where}/configmaps/${name}`)).body, 'data', 'root-cert.pem');
    let [leads, roots] = [false, 'first'];
    const publisher = publishBundle({ client, rootsPem: () => roots, isLeader: () => leads, clusterRole: undefined, log });
    const is = (where: string, name: string, text: string): Promise<true> =>
      eventually(`${where}/${name} is ${text}`, async () => ((await read(where, name)) === text ? true : undefined), 20_000);
    try {
      leads = true;
      publisher.look();
      for (const name of ['istio-ca-root-cert', 'gatehouse-ca-root-cert']) await is(mine, name, 'first');
      await is(others, 'gatehouse-ca-root-cert', 'first');
      await is(await namespace('bundle-later'), 'istio-ca-root-cert', 'first');
      await api().kubectl(['delete', 'configmap', '-n', mine, 'istio-ca-root-cert']);
      await is(mine, 'istio-ca-root-cert', 'first');
      await api().kubectl([
        'patch',
        'configmap',
        '-n',
        mine,
        'gatehouse-ca-root-cert',
        '-p',
        '{"data":{"root-cert.pem":"changed by hand"}}',
      ]);
      await is(mine, 'gatehouse-ca-root-cert', 'first');
      roots = 'second';
      publisher.look();
      await is(mine, 'istio-ca-root-cert', 'second');
      assert.equal(await read(others, 'istio-ca-root-cert'), "another mesh's");
      const inKubeSystem = await api().request('GET', '/api/v1/namespaces/kube-system/configmaps/istio-ca-root-cert');
      assert.equal(inKubeSystem.status, 404);
    } finally {
      publisher.close();
    }
  });
});
