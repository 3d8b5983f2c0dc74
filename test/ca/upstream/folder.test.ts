import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { createPublicKey } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { outcome, refuse } from '../../../ca/refusal.ts';
import { type Folder, folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import { finishRenewal, renewalFile, writeIntermediate } from '../../../ca/upstream/files.ts';
import { ensureIntermediate, type KeeperOptions } from '../../../ca/upstream/keeper.ts';
import { renewalTime, retryDelay } from '../../../ca/upstream/renewal-time.ts';
import { newIntermediate } from '../../../ca/upstream/request.ts';
import type { Upstream } from '../../../ca/upstream/upstream.ts';
import { memoryLog, TD, temporaryFolder } from '../world.ts';
import { certify, type TestAuthority, testAuthority, keyText } from './certificates.ts';

const DAY_MS = 24 * 3600_000;

/** An upstream in this process, which signs what it is asked for. */
function signing(root: TestAuthority, above: readonly TestAuthority[] = []): Upstream {
  return {
    name: 'test',
    async requestIntermediate({ csr, ttlSeconds }) {
      const request = new Pkcs10CertificateRequest(csr);
      assert.ok(await request.verify(crypto));
      const publicKey = await request.publicKey.export(crypto);
      const issuer = above[0] ?? root;
      const notAfter = new Date(Date.now() + ttlSeconds * 1000);
      const { pem } = await certify(issuer.keys, publicKey, { name: 'intermediate', issuer, pathLength: 0, notAfter });
      return outcome({ chainPem: [pem, ...above.map((one) => one.pem), root.pem].join('') });
    },
  };
}

describe('ca: an intermediate in its folder', () => {
  const temporary = temporaryFolder();
  after(() => temporary.remove());
  let count = 0;
  const empty = (): Folder => {
    const path = join(temporary.path, String(count++));
    mkdirSync(path, { mode: 0o700 });
    return folderAt(path);
  };
  const settings = (upstream: Upstream, folder: Folder, changes: Partial<KeeperOptions> = {}) => ({
    upstream,
    folder,
    trustDomain: TD,
    keyType: 'ec-p256' as const,
    ttlSeconds: 3600,
    clock: () => new Date(),
    random: () => 0,
    ...memoryLog(),
    ...changes,
  });

  it('is put in place whole after a crash between any two of its files', async () => {
    const root = await testAuthority({ name: 'root' });
    const middle = await testAuthority({ name: 'middle', issuer: root });
    const before = empty();
    await ensureIntermediate(settings(signing(root), before));
    const made = await newIntermediate(settings(signing(root, [middle]), before), undefined);
    assert.ok(made.ok);
    const whole = empty();
    copyFileSync(before.roots, whole.roots);
    await writeIntermediate(whole, made.value, false);
    assert.ok(!existsSync(renewalFile(whole)));
    assert.equal(statSync(whole.key).mode & 0o777, 0o600);
    const journal = JSON.stringify({
      key: readFileSync(whole.key, 'utf8'),
      certificate: readFileSync(whole.certificate, 'utf8'),
      chain: readFileSync(whole.chain, 'utf8'),
    });
    const steps = [whole.key, whole.chain, whole.certificate];
    for (let done = 0; done <= steps.length; done++) {
      const folder = empty();
      for (const from of [before.key, before.certificate, before.roots]) copyFileSync(from, join(folder.dir, basename(from)));
      for (const from of steps.slice(0, done)) copyFileSync(from, join(folder.dir, basename(from)));
      writeFileSync(renewalFile(folder), journal, { mode: 0o600 });
      await finishRenewal(folder);
      const opened = await loadRoot(folder, TD);
      assert.equal(opened.intermediatesPem.length, 2, `${done} files were new`);
      assert.ok(opened.issuer.publicKey.equals(createPublicKey(keyText(made.value.key))));
      assert.ok(!existsSync(renewalFile(folder)));
    }
  });

  it('is replaced at the start where it ended while nobody was there, under the same root only', async () => {
    const root = await testAuthority({ name: 'root' });
    const folder = empty();
    await ensureIntermediate(settings(signing(root), folder));
    const first = await loadRoot(folder, TD);
    const later = () => new Date(Date.now() + 2 * 3600_000);
    const other = await testAuthority({ name: 'other root' });
    await assert.rejects(
      ensureIntermediate(settings(signing(other), folder, { clock: later, ttlSeconds: 4 * 3600 })),
      /first add the new root/,
    );
    await ensureIntermediate(settings(signing(root), folder, { clock: later, ttlSeconds: 4 * 3600 }));
    const second = await loadRoot(folder, TD);
    assert.notEqual(second.issuer.certificate.fingerprint256, first.issuer.certificate.fingerprint256);
    assert.equal(second.rootCertPem, first.rootCertPem);
  });

  it('never takes the place of a root of the own, and a damaged renewal is told', async () => {
    const own = await testAuthority({ name: 'own root' });
    const folder = empty();
    writeFileSync(folder.key, own.keyPem, { mode: 0o600 });
    writeFileSync(folder.certificate, own.pem);
    writeFileSync(folder.roots, own.pem);
    const upstream: Upstream = { name: 'test', requestIntermediate: () => Promise.resolve(refuse('internal', 'asked')) };
    await assert.rejects(ensureIntermediate(settings(upstream, folder)), /holds a root of its own/);
    assert.equal(readFileSync(folder.certificate, 'utf8'), own.pem);
    writeFileSync(renewalFile(folder), '{"key":1}');
    await assert.rejects(ensureIntermediate(settings(upstream, folder)), /is damaged/);
    rmSync(folder.dir, { recursive: true });
  });

  it('is asked for again while the upstream is away, but not where it refuses', async () => {
    let asked = 0;
    const answers = (code: 'unavailable' | 'forbidden'): Upstream => ({
      name: 'test',
      requestIntermediate: () => {
        asked += 1;
        return Promise.resolve(refuse(code, 'no'));
      },
    });
    await assert.rejects(ensureIntermediate(settings(answers('forbidden'), empty())), /no intermediate from test: no/);
    assert.equal(asked, 1);
    await assert.rejects(ensureIntermediate(settings(answers('unavailable'), empty())), /no intermediate/);
    assert.equal(asked, 1 + 4);
  }).timeout(30_000);
});

describe('ca: when an intermediate is renewed', () => {
  const life = { notBefore: new Date(0), notAfter: new Date(30 * DAY_MS) };

  it('about half of its life is over, spread by a tenth', () => {
    assert.equal(renewalTime(life, () => 0).getTime(), 12 * DAY_MS);
    assert.equal(renewalTime(life, () => 0.5).getTime(), 15 * DAY_MS);
  });

  it('pauses grow to an hour and no further, and leave tens of tries', () => {
    const pauses = Array.from({ length: 12 }, (_, index) => retryDelay(index + 1, life, () => 0.5));
    assert.equal(pauses[0], 60_000);
    for (const [index, pause] of pauses.slice(1).entries()) assert.ok(pause >= (pauses[index] ?? 0));
    assert.equal(pauses.at(-1), 3_600_000);
    const short = { notBefore: new Date(0), notAfter: new Date(60_000) };
    assert.ok(retryDelay(50, short, () => 1) * 20 <= 30_000);
  });
});
