import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOrCreateSecretRoot, type SecretApi, type SecretData } from '../../../ca/key-store/kubernetes-secret.ts';
import { AuthorityError } from '../../../ca/root/error.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { memoryLog, TD, temporaryFolder } from '../world.ts';

/** One Secret in memory, with the API server's rule that only one creation succeeds. */
function fakeApi(secret?: SecretData): SecretApi & { data(): SecretData | undefined; creations: number } {
  let data = secret;
  const api = {
    name: 'istio-system/cacerts',
    creations: 0,
    data: () => data,
    read: () => Promise.resolve(data),
    async create(wanted: SecretData): Promise<'created' | 'exists'> {
      await Promise.resolve();
      api.creations += 1;
      if (data !== undefined) return 'exists';
      data = wanted;
      return 'created';
    },
  };
  return api;
}

const options = (log = memoryLog().log) => ({ clock: () => new Date(), trustDomain: TD, log });
const bytes = (texts: Readonly<Record<string, string>>): SecretData =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));

describe('ca/keys: a Kubernetes Secret', () => {
  it('gets a new root once, however many replicas start together', async () => {
    const api = fakeApi();
    const roots = await Promise.all(Array.from({ length: 5 }, () => readOrCreateSecretRoot(api, options())));
    assert.equal(api.creations, 5);
    assert.equal(new Set(roots.map(({ roots: pem }) => pem)).size, 1);
    assert.deepEqual(Object.keys(api.data() ?? {}).toSorted(), ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem']);
    const again = await readOrCreateSecretRoot(api, options());
    assert.deepEqual(again, roots[0]);
  });

  it('is read in the layout of cacerts and in that of kubernetes.io/tls', async () => {
    const { keyPem, certificatePem } = await createRoot(TD, new Date(), 'ec-p384');
    for (const data of [
      { 'ca-key.pem': keyPem, 'ca-cert.pem': certificatePem, 'root-cert.pem': certificatePem },
      { 'tls.key': keyPem, 'tls.crt': certificatePem, 'ca.crt': certificatePem },
    ]) {
      const root = await readOrCreateSecretRoot(fakeApi(bytes(data)), options());
      assert.deepEqual(root, { keyText: keyPem, certificate: certificatePem, chain: undefined, roots: certificatePem });
    }
  });

  it('keeps its key encrypted where there is a passphrase', async () => {
    const folder = temporaryFolder();
    const file = join(folder.path, 'pass.txt');
    writeFileSync(file, 'secret', { mode: 0o600 });
    const api = fakeApi();
    const key = { passphrase: { file } };
    await readOrCreateSecretRoot(api, { ...options(), key });
    assert.match(Buffer.from(api.data()?.['ca-key.pem'] ?? '').toString(), /BEGIN ENCRYPTED PRIVATE KEY/);
    await readOrCreateSecretRoot(api, { ...options(), key });
    await assert.rejects(readOrCreateSecretRoot(api, options()), /ca-key\.pem of the Secret istio-system\/cacerts is encrypted/);
    assert.ok(readFileSync(file));
    folder.remove();
  });

  it('is refused when something is missing or does not fit, and never written over', async () => {
    const one = await createRoot(TD, new Date());
    const other = await createRoot(TD, new Date());
    const good = { 'ca-key.pem': one.keyPem, 'ca-cert.pem': one.certificatePem, 'root-cert.pem': one.certificatePem };
    for (const [data, text] of [
      [{}, /it has nothing/],
      [{ 'ca-key.pem': one.keyPem }, /needs ca-key\.pem, ca-cert\.pem and root-cert\.pem/],
      [{ ...good, 'ca-key.pem': other.keyPem }, /key does not belong/],
      [{ ...good, 'root-cert.pem': other.certificatePem }, /does not lead to a root/],
      [{ ...good, 'ca-key.pem': 'nonsense' }, /no private key/],
    ] as const) {
      const api = fakeApi(bytes(data));
      await assert.rejects(
        readOrCreateSecretRoot(api, options()),
        (error) => error instanceof AuthorityError && text.test(error.message) && !error.message.includes('PRIVATE'),
      );
      assert.equal(api.creations, 0);
    }
  });
});
