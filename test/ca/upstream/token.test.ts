import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { moduleAt } from '../../../ca/key-store/pkcs11/module.ts';
import { CK } from '../../../ca/key-store/pkcs11/constants.ts';
import { slotOf } from '../../../ca/key-store/pkcs11/token.ts';
import { parsePkcs11Uri } from '../../../ca/key-store/pkcs11/uri.ts';
import { refuse } from '../../../ca/refusal.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { finishRenewal, renewalFile } from '../../../ca/upstream/files.ts';
import { ensureIntermediate } from '../../../ca/upstream/keeper.ts';
import { keysInToken } from '../../../ca/upstream/key-place.ts';
import type { Upstream } from '../../../ca/upstream/upstream.ts';
import { eventually } from '../../eventually.ts';
import { findTool, type Tool } from '../../tools/find.ts';
import { must } from '../identity/must.ts';
import { type SoftToken, softHsmModule, softToken } from '../keys/softhsm.ts';
import { requestPem } from '../requests.ts';
import { memoryLog, TD, temporaryFolder, type World, world } from '../world.ts';
import { type RunningUpstream, startStep, startVault } from './servers.ts';

const SERVERS: readonly { readonly name: string; readonly tool: Tool; readonly start: typeof startVault }[] = [
  { name: "Vault's PKI engine", tool: 'vault-pki', start: startVault },
  { name: 'step-ca', tool: 'step-ca', start: startStep },
];

/** How many private keys a token holds. */
async function keysIn(module: string, token: SoftToken): Promise<number> {
  const opened = await moduleAt(module);
  return opened.use((library) => {
    const session = library.openSession(slotOf(library, must(parsePkcs11Uri(token.uri('any')))), false);
    try {
      library.login(session, Buffer.from('123456'));
      const kind = Buffer.alloc(8);
      kind.writeBigUInt64LE(CK.CKO_PRIVATE_KEY);
      return library.find(session, [[CK.CKA_CLASS, kind]]).length;
    } finally {
      library.closeSession(session);
    }
  });
}

for (const { name, tool, start } of SERVERS)
  describe(`ca: an intermediate from ${name}, its key in a PKCS#11 token`, function () {
    this.timeout(60_000);
    const temporary = temporaryFolder();
    let module: string;
    let token: SoftToken;
    let server: RunningUpstream | undefined;
    let home: World;

    before(async function () {
      this.timeout(900_000);
      module = softHsmModule(this);
      const program = findTool(tool);
      if (program === undefined) return this.skip();
      chmodSync(temporary.path, 0o700);
      token = softToken(module, `upstream-${tool}`);
      server = await start(program, temporary.path);
    });
    beforeEach(async () => {
      home = await world();
    });
    afterEach(() => home.close());
    after(async () => {
      await server?.stop();
      temporary.remove();
    });

    it('signs, is renewed with a new key of the token while it issues, and leaves no key behind', async () => {
      assert.ok(server !== undefined);
      const upstream = { upstream: server.upstream, ttlSeconds: 8 };
      const authority = await home.open({ upstream, key: { store: token.uri('mesh'), type: 'ec-p384' } });
      const folder = folderAt(home.caDir);
      const uris = new Set<string>();
      const ends = Date.now() + 40_000;
      while (uris.size < 4 && Date.now() < ends) {
        const issued = await authority.issue({
          csr: requestPem(),
          ttlSeconds: 60,
          authorization: [`Bearer ${await home.tokens.token()}`],
        });
        assert.ok(issued.ok, issued.ok ? '' : issued.refusal.reason);
        const [leaf = '', intermediate = ''] = issued.value.certChain;
        assert.ok(new X509Certificate(leaf).verify(new X509Certificate(intermediate).publicKey));
        uris.add(readFileSync(folder.keyUri, 'utf8').trim());
        await pause(100);
      }
      assert.equal(uris.size, 4, 'three renewals were seen in time');
      for (const uri of uris) assert.match(uri, /object=mesh-up-[0-9a-f]{8}\?/);
      assert.equal(existsSync(folder.key), false);
      for (const file of readdirSync(home.caDir).filter((one) => /^(ca|root|cert)-/.test(one)))
        assert.doesNotMatch(readFileSync(join(home.caDir, file), 'utf8'), /PRIVATE KEY/);
      await authority.close();
      // That of the intermediate in use, and that of the one before it. (JWT-SVIDs have theirs beside.)
      const held = await eventually('former keys to be gone', async () => {
        const count = await keysIn(module, token);
        return count <= 3 ? count : undefined;
      });
      assert.ok(held >= 2);
      // The folder says where the key is; nobody has to say it again.
      const again = await home.open({ upstream: { ...upstream, ttlSeconds: 3600 } });
      assert.equal(again.rootCertPem, authority.rootCertPem);
      assert.equal(existsSync(folder.key), false);
    });

    it('is put in place whole after a crash, and a refused request leaves no key', async () => {
      assert.ok(server !== undefined);
      const folder = folderAt(join(temporary.path, `crash-${tool}`));
      mkdirSync(folder.dir, { mode: 0o700 });
      const settings = {
        ...{ folder, trustDomain: TD, keyType: 'ec-p256' as const, ttlSeconds: 3600, clock: () => new Date() },
        ...{ upstream: server.upstream, keys: keysInToken(token.uri('crash')), random: () => 0, ...memoryLog() },
      };
      await ensureIntermediate(settings);
      const uri = readFileSync(folder.keyUri, 'utf8').trim();
      const [certificate, chain] = [readFileSync(folder.certificate, 'utf8'), ''];
      writeFileSync(folder.key, 'of a start before, with keys in files', { mode: 0o600 });
      const journal = JSON.stringify({ key: { kind: 'token', uri }, certificate, chain });
      writeFileSync(renewalFile(folder), journal, { mode: 0o600 });
      await finishRenewal(folder);
      assert.deepEqual([existsSync(folder.key), readFileSync(folder.keyUri, 'utf8').trim()], [false, uri]);
      const before = await keysIn(module, token);
      const away: Upstream = { name: 'test', requestIntermediate: () => Promise.resolve(refuse('forbidden', 'no')) };
      const elsewhere = folderAt(join(temporary.path, `refused-${tool}`));
      mkdirSync(elsewhere.dir, { mode: 0o700 });
      await assert.rejects(ensureIntermediate({ ...settings, folder: elsewhere, upstream: away }), /no intermediate/);
      assert.equal(await keysIn(module, token), before);
    });
  });
