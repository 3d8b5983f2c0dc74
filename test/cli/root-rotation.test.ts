// A control plane's rotation against an agent's trust stream: who has not accepted the bundle stands in the way.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import { pino } from 'pino';
import type { Authority } from '../../ca/authority.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { grpcListener, type Listener } from '../../ca/service/http2/listener.ts';
import { systemEvery } from '../../ca/tls/credentials.ts';
import { NOBODY } from '../../ca/rotation/rotation.ts';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { behind, rotationRoutes } from '../../cli/serve/admin-rotation.ts';
import { startAdminSocket } from '../../cli/serve/admin-socket.ts';
import { grpcServer } from '../../cli/serve/grpc-server.ts';
import { closeStaleConnections } from '../../cli/serve/stale-connections.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { systemTimers } from '../../sds/clock.ts';
import { acceptCertificate, type Svid } from '../../sds/identity/accept.ts';
import { parseBundle } from '../../sds/identity/bundle.ts';
import { newKey, requestFor } from '../../sds/identity/request.ts';
import { TrustFollower } from '../../sds/trust/follower.ts';
import { snapshotResources, type SnapshotResources } from '../../xds/resources/source.ts';
import { addDiscoveryService, type DiscoveryService } from '../../xds/stream/service.ts';
import { must } from '../ca/identity/must.ts';
import { type World, world } from '../ca/world.ts';
import { eventually } from '../eventually.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `gatehouse ca` from source, as a process of its own. */
function gatehouseCa(...args: readonly string[]): Promise<Outcome> {
  const main = new URL('../../cli/main.ts', import.meta.url).pathname;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'ca', ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr }),
    );
  });
}

const silent = pino({ level: 'silent' });

describe('root rotation and the agents that follow it', () => {
  let here: World;
  let authority: Authority;
  let source: SnapshotResources;
  let discovery: DiscoveryService;
  let server: Server;
  let listener: Listener;
  let port: number;
  const followers: TrustFollower[] = [];
  const taken: string[] = [];
  let answer: (pem: string) => Promise<Parsed<unknown>>;

  beforeEach(async () => {
    here = await world();
    authority = await here.open({ settleMs: 0 });
    mkdirSync(join(here.dir, 'mesh'));
    writeFileSync(join(here.dir, 'mesh', 'a.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n');
    const { snapshot } = loadMesh({ paths: [join(here.dir, 'mesh')], meshConfigFile: undefined });
    const { rotation } = authority;
    source = snapshotResources(snapshot, { generation: 1, rootsPem: rotation.rootsPem() });
    rotation.onChange(() => {
      source.publishBundle({ generation: 2, rootsPem: rotation.rootsPem() });
      return Promise.resolve();
    });
    server = grpcServer();
    closeStaleConnections(server, authority.peerOf);
    discovery = addDiscoveryService(server, { source, authenticate: authority.peerOf, log: silent });
    const tls = await authority.serverCredentials({ dnsNames: ['gatehouse'] });
    const isOurs = () => false;
    const calls = { isOurs, largest: 0, method: () => assert.fail('nobody asks for a certificate here') };
    listener = grpcListener({ tls, server, calls, concurrentStreams: 1000, every: systemEvery });
    port = await listener.listen('127.0.0.1', 0);
    taken.length = 0;
    answer = () => Promise.resolve({ ok: true, value: undefined });
  });
  afterEach(async () => {
    for (const follower of followers.splice(0)) follower.stop();
    listener.close();
    server.forceShutdown();
    await here.close();
  });

  async function svid(): Promise<Svid> {
    const id = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
    const { key, csr } = await requestFor(id, await newKey());
    const issued = await authority.issue({ csr, ttlSeconds: 600, authorization: [`Bearer ${await here.tokens.token()}`] });
    assert.ok(issued.ok, JSON.stringify(issued));
    const accepted = acceptCertificate(issued.value.certChain, { id, key }, must(parseBundle(authority.rootCertPem)), Date.now());
    assert.ok(accepted.ok);
    return accepted.svid;
  }

  async function follow(): Promise<void> {
    const own = await svid();
    const roots = authority.rootCertPem;
    const follower = new TrustFollower({
      address: () => ({ target: `127.0.0.1:${String(port)}`, serverName: 'gatehouse', timeoutMs: 0 }),
      rootsPem: () => roots,
      svids: () => [own],
      trustDomain: authority.trustDomain,
      onTrust: () => undefined,
      take: (pem) => {
        taken.push(pem);
        return answer(pem);
      },
      onLive: () => undefined,
      onRevoked: () => undefined,
      timers: systemTimers,
      random: () => 0,
      log: silent,
    });
    followers.push(follower);
    follower.start();
    await eventually('the stream', () => (waiting().length === 0 && taken.length > 0 ? true : undefined));
  }
  const waiting = () => behind(discovery.streams(), source.bundle());
  const seen = () => ({ ...NOBODY, behind: waiting() });

  it('an agent acknowledges when its Envoys have; until then the new root does not sign', async () => {
    await follow();
    assert.deepEqual(taken, [authority.rootCertPem]);
    const { promise, resolve } = Promise.withResolvers<Parsed<unknown>>();
    answer = () => promise;
    const signer = authority.rotation.root();
    assert.ok((await authority.rotation.prepare()).ok);
    await eventually('the new bundle', () => (taken.length === 2 ? true : undefined));
    const refused = await authority.rotation.advance(seen(), false);
    assert.ok(!refused.ok);
    const [blocker] = refused.blockers;
    assert.ok(blocker?.kind === 'not-acknowledged' && blocker.node.startsWith('agent~'), JSON.stringify(refused.blockers));
    assert.equal(authority.rotation.root(), signer);
    resolve({ ok: true, value: undefined });
    await eventually('the acknowledgement', () => (waiting().length === 0 ? true : undefined));
    assert.ok((await authority.rotation.advance(seen(), false)).ok);
    assert.notEqual(authority.rotation.root(), signer);
    await eventually('the signer first', () => (taken.at(-1) === authority.rootCertPem ? true : undefined));
  });

  it('an agent that cannot use the bundle says why, and stands in the way', async () => {
    await follow();
    answer = () => Promise.resolve({ ok: false, reason: 'certificate 2 is not a CA certificate' });
    assert.ok((await authority.rotation.prepare()).ok);
    const [one] = await eventually('the refusal', () => {
      const all = waiting();
      return all.some(({ detail }) => detail.includes('refused')) ? all : undefined;
    });
    assert.equal(one?.detail, 'refused it: certificate 2 is not a CA certificate');
    const plan = await authority.rotation.plan({
      ...seen(),
      expected: new Set(['spiffe://cluster.local/ns/shop/sa/cart', 'spiffe://cluster.local/ns/a/sa/b']),
    });
    assert.deepEqual(
      [plan.step, plan.ready, plan.blockers.map(({ kind }) => kind)],
      ['activate', false, ['not-acknowledged', 'not-connected']],
    );
    assert.ok((await authority.rotation.advance(seen(), true)).ok, 'force');
  });

  it('gatehouse ca rotate tells who is in the way, and obeys', async () => {
    await follow();
    const { rotation } = authority;
    const routes = rotationRoutes({
      rotation,
      followers: () => Promise.resolve({ ...NOBODY, behind: behind(discovery.streams(), source.bundle()) }),
    });
    const socket = await startAdminSocket(here.caDir, [routes], silent);
    const ca = (...args: readonly string[]) => gatehouseCa('rotate', '--ca-dir', here.caDir, ...args);
    try {
      answer = () => new Promise(() => undefined);
      const prepared = await ca('--prepare', '-o', 'json');
      assert.equal(prepared.code, 0, prepared.stderr);
      assert.match(prepared.stdout, /"phase": "prepared"/);
      const plan = await ca('--plan');
      assert.equal(plan.code, 1);
      assert.match(plan.stdout, /agent~\S+ \(spiffe:\/\/cluster.local\/ns\/shop\/sa\/cart\) has not answered yet/);
      const refused = await ca('--advance');
      assert.equal(refused.code, 1);
      assert.match(refused.stdout + refused.stderr, /has not answered yet/);
      assert.match((await gatehouseCa('root', '--ca-dir', here.caDir, '-o', 'json')).stdout, /"role": "new root"/);
      assert.equal((await ca('--advance', '--force')).code, 0);
      assert.equal(rotation.status().phase, 'active');
      assert.match((await ca('--status')).stdout, /phase: active/);
      for (const wrong of [[], ['--plan', '--advance'], ['--plan', '--force'], ['--advance', '--from', 'x']])
        assert.equal((await ca(...wrong)).code, 2, wrong.join(' '));
    } finally {
      await socket.close();
    }
    const away = await ca('--status');
    assert.equal(away.code, 1);
    assert.match(away.stderr, /no control plane runs on/);
  }).timeout(60_000);

  it('a proxy that opens a stream with a certificate that no longer counts is sent to a new connection', async () => {
    const own = await svid();
    const key = own.key.export({ type: 'pkcs8', format: 'pem' });
    const session = connect(`https://127.0.0.1:${String(port)}`, {
      cert: own.chainPem,
      key,
      ca: authority.rootCertPem,
      servername: 'gatehouse',
    });
    const gone = new Promise((resolve) => session.once('goaway', resolve));
    const ask = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
        const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
        stream.once('response', (headers) => resolve(String(headers['grpc-status'] ?? 'open')));
        stream.once('error', reject);
      });
    try {
      assert.equal(await ask(), 'open');
      const { rotation } = authority;
      assert.ok((await rotation.prepare()).ok);
      for (const phase of ['active', 'retiring']) {
        assert.ok((await rotation.advance(NOBODY, true)).ok);
        assert.equal(rotation.status().phase, phase);
      }
      assert.equal(await ask(), '16');
      await gone;
    } finally {
      session.destroy();
    }
  });

  it('certificates of both roots authenticate, and of the old one no more at the end', async () => {
    const before = await svid();
    const callOf = ({ leaf }: Svid) => ({
      getAuthContext: () => ({ sslPeerCertificate: { raw: leaf.raw, fingerprint256: leaf.fingerprint256 } }),
    });
    assert.ok((await authority.rotation.prepare()).ok);
    assert.ok((await authority.rotation.advance(NOBODY, false)).ok);
    const after = await svid();
    assert.ok(authority.peerOf(callOf(before)).ok && authority.peerOf(callOf(after)).ok);
    const refused = await authority.rotation.advance(NOBODY, false);
    assert.ok(!refused.ok && refused.blockers.some((one) => one.kind === 'certificates-in-use' && one.count === 1));
    assert.ok((await authority.rotation.advance(NOBODY, true)).ok);
    assert.ok(!authority.peerOf(callOf(before)).ok && authority.peerOf(callOf(after)).ok);
  });
});
