// Two trust domains on one machine: each publishes its bundle, and follows the other's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:https';
import { join } from 'node:path';
import { parseSpiffeBundle } from '../../../ca/bundle/spiffe-bundle.ts';
import { startBundleEndpoint } from '../../../ca/federation/endpoint.ts';
import { type EndpointTrust, fetchBundle } from '../../../ca/federation/fetch.ts';
import { type Following, followPeers, systemAfter } from '../../../ca/federation/following.ts';
import { type FederatedPeer, parsePeer } from '../../../ca/federation/peer.ts';
import { publication } from '../../../ca/federation/publication.ts';
import { bundleFolder } from '../../../ca/federation/store.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { parseBundle } from '../../../ca/root/chain.ts';
import { systemEvery } from '../../../ca/tls/credentials.ts';
import { eventually } from '../../eventually.ts';
import { must } from '../identity/must.ts';
import { clock, type Domain, domain, urlOf } from './domain.ts';

describe('ca: federation', () => {
  let ours: Domain;
  let theirs: Domain;
  const followings: Following[] = [];
  const servers: Server[] = [];

  beforeEach(async () => {
    ours = await domain('a.test');
    theirs = await domain('b.test');
  });
  afterEach(async () => {
    for (const following of followings.splice(0)) following.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    for (const { endpoint, world: at } of [ours, theirs]) {
      await endpoint.close();
      await at.close();
    }
  });

  const spiffe = (of: Domain, endpointId = of.endpointId): EndpointTrust => ({
    kind: 'spiffe',
    endpointId,
    roots: must(parseBundle(of.authority.rootCertPem)),
  });

  async function follow(peer: FederatedPeer, onChange: () => void = () => {}): Promise<Following> {
    const following = await followPeers({
      peers: [peer],
      trustDomain: ours.authority.trustDomain,
      ownRootsPem: () => ours.authority.rootCertPem,
      fetch: fetchBundle,
      store: bundleFolder(ours.world.caDir),
      clock,
      after: systemAfter,
      random: () => 0.5,
      log: ours.world.log,
      onChange,
    });
    followings.push(following);
    return following;
  }

  function peerOf(of: Domain): FederatedPeer {
    const bundle = join(ours.world.dir, 'given.pem');
    writeFileSync(bundle, of.authority.rootCertPem);
    return must(
      parsePeer({
        trustDomain: of.authority.trustDomain,
        url: urlOf(of),
        profile: 'https_spiffe',
        endpointId: of.endpointId,
        bundle,
      }),
    );
  }

  /** An HTTPS server of that trust domain's authority under any SPIFFE ID, with any answer. */
  async function otherServer(of: Domain, id: string, answer: (path: string) => readonly [number, string]): Promise<string> {
    const svid = await of.authority.ownSvid(must(parseSpiffeId(id)));
    const server = createServer({ cert: svid.chainPem, key: svid.keyPem }, (request, response) => {
      const [status, body] = answer(request.url ?? '');
      response.writeHead(status, { location: urlOf(theirs) }).end(body);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
  }

  it('publishes roots, keys of tokens, a sequence number and a refresh hint', async () => {
    const fetched = await fetchBundle(urlOf(theirs), spiffe(theirs));
    assert.ok(fetched.ok, fetched.ok ? '' : fetched.reason);
    const { bundle } = fetched.value;
    assert.deepEqual(
      bundle.x509Authorities.map(String).join(''),
      must(parseBundle(theirs.authority.rootCertPem)).map(String).join(''),
    );
    assert.deepEqual(
      [...bundle.jwtAuthorities.keys()],
      theirs.authority.jwt.bundle().keys.map(({ kid }) => kid),
    );
    assert.equal(bundle.sequence, 1);
    assert.equal(bundle.refreshHintSeconds, 1);
    assert.ok(!fetched.value.text.includes('"d"'), 'a private key');
  });

  it('keeps the sequence number over restarts, and raises it with the keys', async () => {
    const options = {
      caDir: theirs.world.caDir,
      jwtKeys: () => theirs.authority.jwt.bundle().keys,
      refreshHintSeconds: 1,
      log: theirs.world.log,
    };
    const first = must(parseSpiffeBundle(await theirs.bundle()));
    const again = publication({ ...options, rootsPem: () => theirs.authority.rootCertPem });
    assert.equal(must(parseSpiffeBundle(await again())).sequence, first.sequence);
    const both = publication({ ...options, rootsPem: () => theirs.authority.rootCertPem + ours.authority.rootCertPem });
    assert.equal(must(parseSpiffeBundle(await both())).sequence, (first.sequence ?? 0) + 1);
    writeFileSync(join(theirs.world.caDir, 'bundle-sequence.json'), '{"sequence":');
    const lost = publication({ ...options, rootsPem: () => theirs.authority.rootCertPem });
    assert.ok((must(parseSpiffeBundle(await lost())).sequence ?? 0) > 1_700_000_000, 'a number that nobody saw before');
  });

  it('answers GET at / and nothing else', async () => {
    const get = async (path: string, method = 'GET'): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const sent = request(`${urlOf(theirs)}${path}`, { method, rejectUnauthorized: false, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sent.on('error', reject);
        sent.end();
      });
    assert.deepEqual([await get(''), await get('x'), await get('', 'POST')], [200, 404, 405]);
  });

  it('does not take a bundle from a server with another identity, or of another authority', async () => {
    const asked = async (url: string, trust: EndpointTrust): Promise<string> => {
      const fetched = await fetchBundle(url, trust);
      return fetched.ok ? 'taken' : fetched.reason;
    };
    assert.match(await asked(urlOf(theirs), spiffe(ours, theirs.endpointId)), /unable to|self-signed|verify/);
    const workload = await otherServer(theirs, 'spiffe://b.test/ns/shop/sa/cart', () => [200, '{"keys":[]}']);
    assert.match(await asked(workload, spiffe(theirs)), /the server is spiffe:\/\/b.test\/ns\/shop\/sa\/cart, expected was/);
    // Our own authority cannot speak for theirs, though both would be known roots.
    const ownAuthority = await otherServer(ours, 'spiffe://b.test/gatehouse/bundle-endpoint', () => [200, '{"keys":[]}']);
    assert.notEqual(await asked(ownAuthority, spiffe(theirs)), 'taken');
    assert.match(await asked(urlOf(theirs), { kind: 'web', rootsPem: theirs.authority.rootCertPem }), /altnames|IP/);
    assert.match(await asked(urlOf(theirs), { kind: 'spiffe', endpointId: theirs.endpointId, roots: [] }), /no roots/);
  });

  it('does not follow redirects, nor take too much, nor anything that is no bundle', async () => {
    const answers: Record<string, readonly [number, string]> = {
      '/moved': [302, ''],
      '/large': [200, ' '.repeat(3 << 20)],
      '/html': [200, '<html>'],
      '/half': [200, '{"keys":[{"use":"x509-svid","kty":"EC"}]}'],
    };
    const url = await otherServer(theirs, theirs.endpointId, (path) => answers[path] ?? [404, '']);
    const reasons: string[] = [];
    for (const path of [...Object.keys(answers), '/none']) {
      const fetched = await fetchBundle(`${url.slice(0, -1)}${path}`, spiffe(theirs));
      reasons.push(fetched.ok ? 'taken' : fetched.reason);
    }
    assert.deepEqual(reasons.slice(0, 3), [
      'the answer was status 302',
      'the bundle is larger than 1 MiB',
      'the bundle is no JSON object',
    ]);
    assert.match(reasons[3] ?? '', /x509-svid key 0/);
    assert.equal(reasons[4], 'the answer was status 404');
  });

  it('follows a peer by its refresh hint, and keeps what it knows over its own restart', async () => {
    let changes = 0;
    const following = await follow(peerOf(theirs), () => (changes += 1));
    // What was given is in force before the first answer.
    assert.deepEqual(
      following.roots().map(({ trustDomain }) => trustDomain),
      ['b.test'],
    );
    await eventually('a fetch', () => (following.status()[0]?.sequence === 1 ? true : undefined));
    assert.equal(following.status()[0]?.lastError, null);
    const kept = bundleFolder(ours.world.caDir).where(theirs.authority.trustDomain);
    await eventually('kept', () => (existsSync(kept) ? true : undefined));
    assert.equal(readFileSync(kept, 'utf8'), await theirs.bundle());
    // Theirs prepares a new root: ours learns of it within a second or so.
    const before = changes;
    const done = await theirs.authority.rotation.prepare().catch((error: unknown) => assert.fail(String(error)));
    assert.ok(done.ok);
    await eventually('the second root', () => (following.status()[0]?.roots === 2 ? true : undefined));
    assert.equal(changes, before + 1);
    const published = await theirs.bundle();
    await eventually('the second kept', () => (readFileSync(kept, 'utf8') === published ? true : undefined));
    following.close();
    await theirs.endpoint.close();
    const restarted = await follow(peerOf(theirs));
    assert.equal(restarted.status()[0]?.roots, 2);
    await eventually('a failure', () => restarted.status()[0]?.lastError ?? undefined);
    assert.equal(restarted.roots()[0]?.rootsPem.match(/BEGIN/g)?.length, 2, 'the last good one stays');
  });

  it('withdraws a trust domain whose bundle has become empty, and takes no older bundle', async () => {
    let served = JSON.stringify({ ...JSON.parse(await theirs.bundle()), spiffe_sequence: 7 });
    const url = await otherServer(theirs, theirs.endpointId, () => [200, served]);
    const following = await follow({ ...peerOf(theirs), url });
    await eventually('seven', () => (following.status()[0]?.sequence === 7 ? true : undefined));
    served = JSON.stringify({ ...JSON.parse(served), spiffe_sequence: 6, keys: [] });
    const reason = await eventually('a refusal', () => following.status()[0]?.lastError ?? undefined);
    assert.match(reason, /sequence 6, older than 7; if it began anew, remove .*b\.test\.json/);
    assert.equal(following.roots().length, 1);
    served = JSON.stringify({ spiffe_sequence: 8, spiffe_refresh_hint: 1, keys: [] });
    await eventually('withdrawn', () => (following.roots().length === 0 ? true : undefined));
  });

  it('says what is wrong with a file to begin with', async () => {
    const bundle = join(ours.world.dir, 'given.pem');
    writeFileSync(bundle, 'nothing');
    const peer = { ...peerOf(theirs) };
    writeFileSync(bundle, 'nothing');
    await assert.rejects(follow(peer), /the bundle of b\.test in .*given\.pem: the bundle is no JSON object/);
  });

  it('https_web: by a Web PKI certificate for the host', async () => {
    const [key, cert] = [join(ours.world.dir, 'web.key'), join(ours.world.dir, 'web.pem')];
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...made, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], {
      stdio: 'ignore',
    });
    const web = await startBundleEndpoint({
      host: '127.0.0.1',
      port: 0,
      bundle: theirs.bundle,
      certificate: () =>
        Promise.resolve({ certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8'), renewAt: new Date(8.64e15) }),
      clock,
      every: systemEvery,
      log: theirs.world.log,
    });
    try {
      const peer = { trustDomain: 'b.test', url: `https://localhost:${web.port}/` };
      const untrusting = await follow(must(parsePeer(peer)));
      assert.match((await eventually('a failure', () => untrusting.status()[0]?.lastError ?? undefined)) ?? '', /self-signed/);
      assert.deepEqual(untrusting.roots(), []);
      untrusting.close();
      const trusting = await follow(must(parsePeer({ ...peer, roots: cert })));
      await eventually('fetched', () => (trusting.roots().length === 1 ? true : undefined));
    } finally {
      await web.close();
    }
  });
});
