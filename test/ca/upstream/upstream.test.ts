import { strict as assert } from 'node:assert';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyType } from '../../../ca/key-store/key-type.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import { renewalFile } from '../../../ca/upstream/files.ts';
import { ensureIntermediate, keepIntermediate, type KeeperOptions } from '../../../ca/upstream/keeper.ts';
import { newIntermediate } from '../../../ca/upstream/request.ts';
import { stepUpstream } from '../../../ca/upstream/step.ts';
import { vaultEndpoint, vaultUpstream } from '../../../ca/upstream/vault.ts';
import { eventually } from '../../eventually.ts';
import { findTool, type Tool } from '../../tools/find.ts';
import { memoryLog, TD, temporaryFolder } from '../world.ts';
import { keyText } from './certificates.ts';
import { type RunningUpstream, startStep, startVault } from './servers.ts';

const SERVERS: readonly { name: string; tool: Tool; start: typeof startVault }[] = [
  { name: "Vault's PKI engine", tool: 'vault-pki', start: startVault },
  { name: 'step-ca', tool: 'step-ca', start: startStep },
];
const KEY_TYPES: readonly KeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519'];
const BUILD_MS = 900_000;

for (const { name, tool, start } of SERVERS)
  describe(`ca: an intermediate from ${name}`, () => {
    const temporary = temporaryFolder();
    let server: RunningUpstream;
    before(async function () {
      this.timeout(BUILD_MS);
      const program = findTool(tool);
      if (program === undefined) return this.skip();
      chmodSync(temporary.path, 0o700);
      server = await start(program, temporary.path);
    });
    after(async () => {
      // Undefined where the program is not there.
      await (server as RunningUpstream | undefined)?.stop();
      temporary.remove();
    });

    const clock = () => new Date();
    const options = (keyType: KeyType = 'ec-p256', ttlSeconds = 3600) => ({
      upstream: server.upstream,
      trustDomain: TD,
      keyType,
      ttlSeconds,
      clock,
    });
    const keeper = (dir: string, changes: Partial<KeeperOptions> = {}): KeeperOptions & { lines: Record<string, unknown>[] } => {
      mkdirSync(join(temporary.path, dir), { mode: 0o700, recursive: true });
      return {
        ...options(),
        folder: folderAt(join(temporary.path, dir)),
        random: () => 0.5,
        every: (ms, task) => {
          const timer = setInterval(task, ms);
          return () => clearInterval(timer);
        },
        ...memoryLog(),
        ...changes,
      };
    };

    for (const keyType of KEY_TYPES)
      it(`is signed for a key of the type ${keyType}`, async function () {
        this.timeout(30_000);
        const made = await newIntermediate(options(keyType), undefined);
        assert.ok(made.ok, made.ok ? '' : made.refusal.reason);
        const { certificate, root, key, between } = made.value;
        assert.ok(certificate.ca && certificate.publicKey.equals(createPublicKey(keyText(key))));
        assert.equal(certificate.subjectAltName, `URI:spiffe://${TD}`);
        assert.ok(root.checkIssued(root));
        assert.ok(certificate.verify((between[0] ?? root).publicKey));
        const hours = (certificate.validToDate.getTime() - Date.now()) / 3600_000;
        assert.ok(hours > 0.9 && hours < 1.1, String(hours));
      });

    it('fills an empty folder, which then opens as an authority; what is there stays', async () => {
      const settings = keeper('ca');
      await ensureIntermediate(settings);
      const opened = await loadRoot(settings.folder, TD);
      assert.ok(opened.intermediatesPem.length > 0);
      assert.ok(!existsSync(renewalFile(settings.folder)));
      await ensureIntermediate(settings);
      const again = await loadRoot(settings.folder, TD);
      assert.equal(again.issuer.certificate.fingerprint256, opened.issuer.certificate.fingerprint256);
    });

    it('is renewed with a new key under the same root', async () => {
      const settings = keeper('renewed', { ttlSeconds: 6 });
      await ensureIntermediate(settings);
      const first = await loadRoot(settings.folder, TD);
      const kept = keepIntermediate(settings, first.issuer.validity);
      try {
        await eventually('a renewal', () => (kept.state().renewals > 0 ? true : undefined));
        const renewed = await loadRoot(settings.folder, TD);
        assert.notEqual(renewed.issuer.certificate.fingerprint256, first.issuer.certificate.fingerprint256);
        assert.ok(!renewed.issuer.publicKey.equals(first.issuer.publicKey));
        assert.equal(renewed.rootCertPem, first.rootCertPem);
        assert.equal(kept.state().failures, 0);
      } finally {
        kept.close();
      }
    });

    it('leads only to a root that is trusted already', async () => {
      const foreign = new X509Certificate(readFileSync(server.rootsFile));
      const made = await newIntermediate(options(), tool === 'step-ca' ? [] : [foreign]);
      assert.match(made.ok ? '' : made.refusal.reason, /first add the new root/);
    });

    it('is refused with a wrong credential, in words, without the credential', async () => {
      const wrong = join(temporary.path, 'wrong');
      const rootsPem = readFileSync(server.rootsFile, 'utf8');
      const stranger = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
      const secret =
        tool === 'step-ca' ? JSON.stringify(await crypto.subtle.exportKey('jwk', stranger.privateKey)) : 's.wrong-token';
      writeFileSync(wrong, secret, { mode: 0o600 });
      const upstream =
        tool === 'step-ca'
          ? stepUpstream({ server: server.url, provisioner: 'gatehouse', keyFile: wrong, rootsPem, timeoutMs: 5000, clock })
          : vaultUpstream({ endpoint: vaultEndpoint(server.url), tokenFile: wrong, rootsPem, timeoutMs: 5000 });
      const made = await newIntermediate({ ...options(), upstream }, undefined);
      assert.equal(made.ok ? '' : made.refusal.code, 'forbidden');
      assert.ok(!JSON.stringify(made).includes('wrong-token'));
      chmodSync(wrong, 0o644);
      const open = await newIntermediate({ ...options(), upstream }, undefined);
      assert.match(open.ok ? '' : open.refusal.reason, /chmod 0600/);
    });

    it('is not asked for where the TLS certificate leads to another root', async () => {
      const upstream =
        tool === 'step-ca'
          ? stepUpstream({ server: server.url, provisioner: 'gatehouse', keyFile: server.secretFile, timeoutMs: 5000, clock })
          : vaultUpstream({ endpoint: vaultEndpoint(server.url), tokenFile: server.secretFile, timeoutMs: 5000 });
      const made = await newIntermediate({ ...options(), upstream }, undefined);
      assert.match(made.ok ? '' : made.refusal.reason, /certificate/);
    });

    it('serves on while the server is away, with back-off and a warning for each try', async function () {
      this.timeout(60_000);
      const settings = keeper('away', { ttlSeconds: 6 });
      await ensureIntermediate(settings);
      const first = await loadRoot(settings.folder, TD);
      await server.stop();
      const kept = keepIntermediate(settings, first.issuer.validity);
      try {
        await eventually('three failures', () => (kept.state().failures >= 3 ? true : undefined));
        const now = await loadRoot(settings.folder, TD);
        assert.equal(now.issuer.certificate.fingerprint256, first.issuer.certificate.fingerprint256);
        const warned = settings.lines.filter(({ msg }) => String(msg).includes('is not renewed'));
        assert.ok(warned.length >= 3);
        const [one, two, three] = warned.map(({ nextTry, time }) => new Date(String(nextTry)).getTime() - Number(time));
        assert.ok((one ?? 0) < (two ?? 0) * 1.2 && (two ?? 0) <= (three ?? 0) * 1.2, `${one} ${two} ${three}`);
      } finally {
        kept.close();
      }
      // A first start without an upstream has nothing to serve with.
      await assert.rejects(ensureIntermediate(keeper('never', { random: () => 0 })), /no intermediate from/);
    });
  });
