import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../../ca/authority.ts';
import type { Every } from '../../../ca/tls/credentials.ts';
import { eventually } from '../../eventually.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';
import { certificateAuthority, type Certified, writeCacerts } from './ca-files.ts';
import { openssl } from './openssl.ts';

/** As in production, twenty times faster. */
const fast: Every = (ms, task) => {
  const timer = setInterval(task, ms / 20);
  return () => clearInterval(timer);
};

describe('ca/keys: plugged-in files that change', () => {
  let here: World;
  let root: Certified;
  beforeEach(async function () {
    openssl(this.currentTest?.ctx ?? this);
    here = await world();
    root = certificateAuthority({ name: 'root' });
  });
  afterEach(() => here.close());

  const issue = async (authority: Authority) => {
    const made = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 60,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(made.ok, made.ok ? '' : made.refusal.reason);
    return made.value.certChain;
  };
  const issuerOf = async (authority: Authority) => new X509Certificate((await issue(authority))[0] ?? '').issuer;
  const logged = (text: RegExp) => here.lines.some(({ msg }) => text.test(String(msg))) || undefined;

  for (const depth of [0, 1, 2, 5])
    it(`are a chain with ${depth} intermediates: openssl verifies what is issued under it`, async () => {
      const chain = [root];
      for (let level = 1; level <= depth; level++)
        chain.unshift(certificateAuthority({ name: `level ${level}`, issuer: chain[0], pathLength: depth - level }));
      writeCacerts(here.caDir, chain);
      const [leaf = '', ...above] = await issue(await here.open());
      assert.equal(above.length, depth + 1);
      writeFileSync(join(here.dir, 'leaf.pem'), leaf);
      writeFileSync(join(here.dir, 'above.pem'), above.slice(0, -1).join('') || leaf);
      const args = ['-CAfile', join(here.caDir, 'root-cert.pem'), '-untrusted', join(here.dir, 'above.pem')];
      assert.match(execFileSync('openssl', ['verify', ...args, join(here.dir, 'leaf.pem')], { encoding: 'utf8' }), /: OK/);
    });

  it('are taken over together: a new intermediate signs, callers of the old one stay', async () => {
    const [first, second] = [1, 2].map((number) => certificateAuthority({ name: `issuing ${number}`, issuer: root }));
    assert.ok(first && second);
    writeCacerts(here.caDir, [first, root]);
    const authority = await here.open({ every: fast });
    const [old = ''] = await issue(authority);
    const raw = new X509Certificate(old);
    const call = { getAuthContext: () => ({ sslPeerCertificate: { raw: raw.raw, fingerprint256: raw.fingerprint256 } }) };
    writeCacerts(here.caDir, [second, root]);
    await eventually('the second intermediate', async () => (await issuerOf(authority)) === 'CN=issuing 2' || undefined);
    assert.ok(authority.peerOf(call).ok);
    await eventually('a word on it in the log', () => logged(/the new ones are in force/));
    assert.ok(!logged(/left the trust bundle/));
  });

  it('are not taken over while they do not fit each other: the last good ones stay, with an error', async () => {
    const [first, second] = [1, 2].map((number) => certificateAuthority({ name: `issuing ${number}`, issuer: root }));
    assert.ok(first && second);
    writeCacerts(here.caDir, [first, root]);
    const authority = await here.open({ every: fast });
    writeFileSync(join(here.caDir, 'ca-cert.pem'), second.certPem);
    await eventually('an error in the log', () => logged(/cannot be used; the last good ones stay/));
    assert.equal(await issuerOf(authority), 'CN=issuing 1');
    writeFileSync(join(here.caDir, 'ca-key.pem'), second.keyPem);
    await eventually('the second intermediate', async () => (await issuerOf(authority)) === 'CN=issuing 2' || undefined);
  });

  for (const [what, spoil] of [
    ['a cut off key', (dir: string) => writeFileSync(join(dir, 'ca-key.pem'), 'nonsense')],
    [
      'a cut off bundle',
      (dir: string) => writeFileSync(join(dir, 'root-cert.pem'), readFileSync(join(dir, 'root-cert.pem')).subarray(0, 200)),
    ],
    [
      'an intermediate of another root',
      (dir: string) => {
        const other = certificateAuthority({ name: 'other' });
        const stranger = certificateAuthority({ name: 'stranger', issuer: other });
        writeFileSync(join(dir, 'ca-key.pem'), stranger.keyPem);
        writeFileSync(join(dir, 'ca-cert.pem'), stranger.certPem);
      },
    ],
    [
      'a path that is too long',
      (dir: string) => {
        const other = certificateAuthority({ name: 'issuing', issuer: root, extensions: [], pathLength: 0 });
        const under = certificateAuthority({ name: 'under', issuer: other });
        writeCacerts(dir, [under, other, root]);
      },
    ],
  ] as const)
    it(`are not taken over with ${what}`, async () => {
      writeCacerts(here.caDir, [certificateAuthority({ name: 'good', issuer: root }), root]);
      const authority = await here.open({ every: fast });
      spoil(here.caDir);
      await eventually('an error in the log', () => logged(/cannot be used; the last good ones stay/));
      assert.equal(await issuerOf(authority), 'CN=good');
    });

  it('may bring another root, with a warning that says what it does', async () => {
    const other = certificateAuthority({ name: 'other root' });
    writeCacerts(here.caDir, [root]);
    const authority = await here.open({ every: fast });
    writeCacerts(here.caDir, [other]);
    await eventually('a warning in the log', () => logged(/left the trust bundle at once/));
    assert.equal(new X509Certificate(authority.rootCertPem).subject, 'CN=other root');
    assert.equal(await issuerOf(authority), 'CN=other root');
  });
});

/** What openssl says of a leaf that was made without asking us. */
function opensslAgrees({ dir, caDir }: World): boolean {
  const at = (name: string) => join(dir, name);
  writeFileSync(at('x.cnf'), '[v3]\nsubjectAltName=critical,URI:spiffe://cluster.local/ns/shop/sa/cart\n');
  writeFileSync(at('leaf.csr'), requestPem());
  const ca = ['-CA', join(caDir, 'ca-cert.pem'), '-CAkey', join(caDir, 'ca-key.pem'), '-CAcreateserial', '-days', '2'];
  const signing = ['x509', '-req', '-in', at('leaf.csr'), ...ca, '-extfile', at('x.cnf'), '-extensions', 'v3'];
  execFileSync('openssl', [...signing, '-out', at('by-openssl.pem')], { stdio: 'pipe' });
  const chain = ['-CAfile', join(caDir, 'root-cert.pem'), '-untrusted', join(caDir, 'ca-cert.pem')];
  return spawnSync('openssl', ['verify', ...chain, at('by-openssl.pem')]).status === 0;
}

describe('ca/keys: what the chain of a plugged-in CA allows', () => {
  let here: World;
  let root: Certified;
  beforeEach(async function () {
    openssl(this.currentTest?.ctx ?? this);
    here = await world();
    root = certificateAuthority({ name: 'root' });
  });
  afterEach(() => here.close());
  const plugged = (...extensions: readonly string[]) =>
    writeCacerts(here.caDir, [certificateAuthority({ name: 'issuing', issuer: root, extensions }), root]);
  const issue = async (authority: Authority) =>
    authority.issue({ csr: requestPem(), ttlSeconds: 60, authorization: [`Bearer ${await here.tokens.token()}`] });

  it('no more CAs than a path length: the start is refused', async () => {
    const short = certificateAuthority({ name: 'short', issuer: root, pathLength: 0 });
    writeCacerts(here.caDir, [certificateAuthority({ name: 'under', issuer: short }), short, root]);
    await assert.rejects(here.open(), /may not issue: .*path length/);
  });

  for (const [constraint, allowed] of [
    ['permitted;URI:cluster.local', true],
    ['permitted;URI:other.test', false],
    ['permitted;URI:.cluster.local', false],
    ['excluded;URI:cluster.local', false],
    ['excluded;URI:other.test', true],
    ['permitted;DNS:cluster.local', true],
  ] as const)
    it(`the names that ${constraint} ${allowed ? 'lets through' : 'forbids'}, as openssl sees it`, async () => {
      plugged(`nameConstraints=critical,${constraint}`);
      assert.equal(opensslAgrees(here), allowed);
      const made = await issue(await here.open());
      assert.equal(made.ok, allowed);
      if (!made.ok) {
        assert.equal(made.refusal.code, 'forbidden');
        assert.match(made.refusal.reason, /name constraints of the CA certificates/);
        return;
      }
      writeFileSync(join(here.dir, 'leaf.pem'), made.value.certChain[0] ?? '');
      const args = ['-CAfile', join(here.caDir, 'root-cert.pem'), '-untrusted', join(here.caDir, 'ca-cert.pem')];
      assert.match(execFileSync('openssl', ['verify', ...args, join(here.dir, 'leaf.pem')], { encoding: 'utf8' }), /: OK/);
    });

  it("the control plane's own server keeps the names that are left", async () => {
    plugged('nameConstraints=critical,permitted;DNS:svc,permitted;URI:cluster.local');
    const authority = await here.open();
    const tls = await authority.serverCredentials({
      dnsNames: ['gatehouse.istio-system.svc', 'localhost'],
      ipAddresses: ['127.0.0.1'],
    });
    const names = new X509Certificate(tls.current().chainPem).subjectAltName;
    assert.equal(names, 'DNS:gatehouse.istio-system.svc, IP Address:127.0.0.1');
  });
});
