import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { type Secret, SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { SPIFFECertValidatorConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import { systemTimers } from '../../sds/clock.ts';
import { parseFederatedBundle } from '../../sds/federation/bundle-file.ts';
import { FederatedBundles } from '../../sds/federation/federated-bundles.ts';
import type { TrustBundle } from '../../sds/identity/bundle.ts';
import { parseFileName } from '../../sds/names/file-names.ts';
import { FileSecrets } from '../../sds/names/file-secrets.ts';
import { parseKubernetesName } from '../../sds/names/kubernetes-names.ts';
import { KubernetesSecrets } from '../../sds/names/kubernetes-secrets.ts';
import { SecretsFolders } from '../../sds/names/secrets-folders.ts';
import { spiffeNames } from '../../sds/names/spiffe-names.ts';
import type { SecretSource } from '../../sds/secret/store.ts';
import { SecretStore } from '../../sds/secret/store.ts';
import { WorkloadIdentity } from '../../sds/workload-api/identity.ts';
import { must } from '../ca/identity/must.ts';
import { eventually } from '../eventually.ts';
import { leafWithKey, pkcs8Pem, selfSignedRoot } from './authority.ts';
import { bundleOf, KeeperWorld, StillTime } from './world.ts';

const ID = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
const OTHER = must(parseTrustDomain('other.example'));
const log = pino({ level: 'silent' });

function secretOf(source: SecretSource, name: string): Secret | undefined {
  const found = source.lookup(name);
  return found?.kind === 'present' ? fromBinary(SecretSchema, found.secret.any.value) : undefined;
}

const kindOf = (source: SecretSource, name: string) => source.lookup(name)?.kind;

/** Lets the one who polls look once more. */
async function look(time: StillTime): Promise<void> {
  time.pass(500);
  await eventually('the end of a look', () => time.next());
}

/** The trust domains of a secret for Envoy's SPIFFE validator. */
function domainsOf(secret: Secret | undefined): readonly string[] | undefined {
  if (secret?.type.case !== 'validationContext') return undefined;
  const { customValidatorConfig, trustedCa } = secret.type.value;
  assert.equal(customValidatorConfig?.name, 'envoy.tls.cert_validator.spiffe');
  assert.equal(trustedCa, undefined);
  const config = fromBinary(SPIFFECertValidatorConfigSchema, customValidatorConfig.typedConfig?.value ?? new Uint8Array());
  return config.trustDomains.map(({ name }) => name);
}

function text(secret: Secret | undefined): string {
  const { type } = secret ?? { type: { case: undefined } };
  const source =
    type.case === 'tlsCertificate'
      ? type.value.certificateChain
      : type.case === 'validationContext'
        ? type.value.trustedCa
        : undefined;
  return source?.specifier.case === 'inlineBytes' ? Buffer.from(source.specifier.value).toString() : '';
}

describe('sds/names: as SPIRE has them', () => {
  it('own SPIFFE ID, trust domains, ALL; nothing of others', async () => {
    const federated = new Map<TrustDomain, TrustBundle>();
    const identity = new WorkloadIdentity(ID, { federated: () => federated, crls: () => [] }, Date.now);
    const names = spiffeNames(identity);
    assert.equal(kindOf(names, ID), 'pending');
    assert.equal(kindOf(names, 'ALL'), 'pending');
    const world = await KeeperWorld.make();
    world.keeper.start();
    await world.settled(1);
    const svid = world.keeper.current();
    assert.ok(svid && world.bundle);
    let told = 0;
    names.onChange(() => (told += 1));
    identity.putBundle(world.bundle);
    identity.issued(svid);
    assert.equal(told, 2);
    assert.equal(text(secretOf(names, ID)), svid.chainPem);
    assert.equal(secretOf(names, ID)?.name, ID);
    assert.deepEqual(domainsOf(secretOf(names, 'ALL')), ['cluster.local']);
    assert.deepEqual(domainsOf(secretOf(names, 'spiffe://cluster.local')), ['cluster.local']);
    for (const name of ['spiffe://other.example', 'spiffe://cluster.local/ns/shop/sa/b', 'spiffe://', 'spiffe://A/b'])
      assert.equal(kindOf(names, name), 'absent', name);
    assert.equal(kindOf(names, 'all'), undefined);
    const before = names.lookup('ALL');
    federated.set(OTHER, bundleOf(await selfSignedRoot()));
    assert.deepEqual(domainsOf(secretOf(names, 'ALL')), ['cluster.local', 'other.example']);
    assert.notDeepEqual(before, names.lookup('ALL'));
    assert.deepEqual(domainsOf(secretOf(names, 'spiffe://other.example')), ['other.example']);
    // Envoy would keep roots that just vanish.
    federated.delete(OTHER);
    assert.deepEqual(domainsOf(secretOf(names, 'ALL')), ['cluster.local']);
    assert.deepEqual(domainsOf(secretOf(names, 'spiffe://other.example')), ['nobody.invalid']);
    await world.keeper.stop();
  });

  it('a store finds them beside its own, and tells of their changes', () => {
    const identity = new WorkloadIdentity(ID, { federated: () => new Map(), crls: () => [] }, Date.now);
    const store = new SecretStore(['default'], [spiffeNames(identity)]);
    let told = 0;
    store.onChange(() => (told += 1));
    assert.deepEqual(
      [store.lookup('default').kind, store.lookup(ID).kind, store.lookup('x').kind],
      ['pending', 'pending', 'absent'],
    );
    assert.deepEqual(store.names(), ['default']);
    identity.changed();
    assert.equal(told, 1);
  });
});

describe('sds/names: files', () => {
  let folder: string;
  let files: FileSecrets;
  let time: StillTime;
  beforeEach(() => {
    time = new StillTime();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-names-'));
    mkdirSync(join(folder, 'certs'));
    files = new FileSecrets({ folders: [join(folder, 'certs')], timers: time, log });
  });
  afterEach(() => {
    files.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Replaces a file as a whole. */
  function put(name: string, content: string): string {
    const path = join(folder, 'certs', name);
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
    return path;
  }

  async function pair() {
    const { certificate, keys } = await leafWithKey(await selfSignedRoot(), {
      names: [{ type: 'dns', value: 'a' }],
      lifetimeMs: 60_000,
    });
    return { chain: certificate.toString('pem'), key: await pkcs8Pem(keys.privateKey) };
  }

  it('are followed; a certificate waits for its key', async () => {
    const [one, two] = [await pair(), await pair()];
    const [certificate, key] = [put('tls.crt', one.chain), put('tls.key', one.key)];
    const name = `file-cert:${certificate}~${key}`;
    let told = 0;
    files.onChange(() => (told += 1));
    assert.equal(kindOf(files, name), 'pending');
    const first = await eventually('the first', () => secretOf(files, name));
    assert.equal(first.name, name);
    put('tls.crt', two.chain);
    await look(time);
    assert.equal(told, 1, 'half of a pair is not served');
    put('tls.key', two.key);
    await look(time);
    assert.equal(text(secretOf(files, name)).trim(), two.chain.trim());
    put('tls.key', 'broken');
    await look(time);
    assert.equal(text(secretOf(files, name)).trim(), two.chain.trim());
    assert.equal(told, 2);
  });

  it('come from allowed folders only, also where links lead', async () => {
    const { chain, key } = await pair();
    put('root.pem', chain);
    writeFileSync(join(folder, 'outside.pem'), chain);
    symlinkSync(join(folder, 'outside.pem'), join(folder, 'certs', 'link.pem'));
    symlinkSync('root.pem', join(folder, 'certs', 'inner.pem'));
    const at = (path: string) => `file-root:${join(folder, path)}`;
    assert.equal(kindOf(files, at('outside.pem')), 'absent');
    assert.equal(kindOf(files, `file-root:${folder}/certs/../outside.pem`), 'absent');
    assert.equal(kindOf(files, `file-cert:${folder}/certs/root.pem~${folder}/outside.pem`), 'absent');
    assert.equal(kindOf(files, 'file-root:relative.pem'), 'absent');
    assert.equal(kindOf(files, at('certs/link.pem')), 'pending');
    await eventually('the inner link', () => secretOf(files, at('certs/inner.pem')));
    assert.equal(kindOf(files, at('certs/link.pem')), 'pending', 'a link out of the folder is not followed');
    put('key-as-root.pem', key);
    assert.equal(kindOf(files, at('certs/key-as-root.pem')), 'pending');
    const none = new FileSecrets({ folders: [], timers: systemTimers, log });
    assert.equal(kindOf(none, at('certs/root.pem')), 'absent');
    none.close();
  });

  it('authorities wait for their list of revoked certificates', async () => {
    const { chain } = await pair();
    const root = put('root.pem', chain);
    const crl = join(folder, 'certs', 'list.pem');
    const name = `file-root:${root}~${crl}`;
    writeFileSync(join(folder, 'outside.pem'), '-----BEGIN X509 CRL-----\n');
    assert.equal(kindOf(files, `file-root:${root}~${folder}/outside.pem`), 'absent');
    assert.equal(kindOf(files, name), 'pending');
    await look(time);
    assert.equal(kindOf(files, name), 'pending', 'no list, no authorities');
    put('list.pem', 'nothing');
    await look(time);
    assert.equal(kindOf(files, name), 'pending');
    put('list.pem', '-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n');
    await look(time);
    assert.match(text(await eventually('the list', () => secretOf(files, name))), /BEGIN CERTIFICATE/);
  });

  it('the roots of the operating system are for everybody', async function () {
    const none = new FileSecrets({ folders: [], timers: systemTimers, log });
    assert.notEqual(kindOf(none, 'file-root:system'), 'absent');
    none.close();
  });

  it('names are parsed strictly', () => {
    assert.deepEqual(parseFileName('file-cert:/a/c~/a/k'), {
      ok: true,
      value: { kind: 'key pair', certificate: '/a/c', key: '/a/k' },
    });
    assert.deepEqual(parseFileName('file-root:/a/r'), { ok: true, value: { kind: 'roots', path: '/a/r' } });
    assert.deepEqual(parseFileName('file-root:/a/r~/a/l'), { ok: true, value: { kind: 'roots', path: '/a/r', crl: '/a/l' } });
    assert.deepEqual(parseFileName('file-root:system~/a/l'), { ok: true, value: { kind: 'system roots', crl: '/a/l' } });
    for (const bad of [
      'file-cert:/a',
      'file-cert:/a~/b~/c',
      'file-root:',
      'file-root:/a/./b',
      'file-root:/a~',
      'file-root:/a~b',
      'file-root:/a~/b~/c',
      'file-root:/a//b',
      'file-root:/a\0',
    ])
      assert.equal(parseFileName(bad)?.ok, false, bad);
    assert.equal(parseFileName('default'), undefined);
  });

  it('no more than 64 names are followed', () => {
    for (let index = 0; index < 64; index++) assert.equal(kindOf(files, `file-root:${folder}/certs/${index}`), 'pending');
    assert.equal(kindOf(files, `file-root:${folder}/certs/64`), 'absent');
  });
});

describe('sds/names: Kubernetes Secrets of gateways', () => {
  let folder: string;
  let provider: SecretsFolders;
  let secrets: KubernetesSecrets;
  let time: StillTime;
  beforeEach(() => {
    time = new StillTime();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-names-'));
    provider = new SecretsFolders([folder], time, log);
    secrets = new KubernetesSecrets({ provider, namespace: 'gateways', log });
  });
  afterEach(() => {
    secrets.close();
    provider.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const base64 = (content: string) => Buffer.from(content).toString('base64');
  const secret = (name: string, data: Record<string, string>, namespace = 'gateways') =>
    stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data });

  it('are taken from YAML, followed, and kept when they break or go', async () => {
    const root = await selfSignedRoot();
    const pairs = await Promise.all(
      ['a', 'b'].map(async (value) => {
        const { certificate, keys } = await leafWithKey(root, { names: [{ type: 'dns', value }], lifetimeMs: 60_000 });
        return { chain: certificate.toString('pem'), key: await pkcs8Pem(keys.privateKey) };
      }),
    );
    const [one, two] = pairs;
    assert.ok(one && two);
    const rootPem = root.certificate.toString('pem');
    const path = join(folder, 'all.yaml');
    const tls = ({ chain, key }: { chain: string; key: string }) => ({ 'tls.crt': base64(chain), 'tls.key': base64(key) });
    writeFileSync(
      path,
      [secret('web', { ...tls(one), 'ca.crt': base64(rootPem) }), secret('foreign', tls(one), 'b')].join('---\n'),
    );
    await provider.start();
    const served = () => text(secretOf(secrets, 'kubernetes://web')).trim();
    assert.equal(served(), one.chain.trim());
    assert.equal(secretOf(secrets, 'kubernetes://gateways/web')?.name, 'kubernetes://gateways/web');
    assert.equal(text(secretOf(secrets, 'kubernetes://web-cacert')).trim(), rootPem.trim());
    assert.equal(kindOf(secrets, 'kubernetes://b/foreign'), 'absent', "another namespace's");
    assert.equal(kindOf(secrets, 'kubernetes://unknown'), 'pending');
    writeFileSync(path, secret('web', tls(two)));
    await look(time);
    assert.equal(served(), two.chain.trim());
    writeFileSync(path, ': {');
    await look(time);
    assert.equal(served(), two.chain.trim());
    writeFileSync(path, secret('web', { 'tls.crt': base64(one.chain), 'tls.key': base64(two.key) }));
    await look(time);
    assert.equal(served(), two.chain.trim());
    rmSync(path);
    writeFileSync(
      join(folder, 'late.json'),
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'Secret' },
        metadata: { name: 'unknown', namespace: 'gateways' },
        stringData: { cert: one.chain, key: one.key },
      }),
    );
    await look(time);
    assert.ok(secretOf(secrets, 'kubernetes://unknown'), 'a Secret that came late');
    assert.equal(served(), two.chain.trim());
  });

  it('names are parsed strictly', () => {
    const parsed = (name: string) => parseKubernetesName(name, 'own');
    assert.deepEqual(parsed('kubernetes://a'), { ok: true, value: { namespace: 'own', name: 'a', authorities: false } });
    assert.deepEqual(parsed('kubernetes-gateway://n/a-cacert'), {
      ok: true,
      value: { namespace: 'n', name: 'a', authorities: true },
    });
    for (const bad of ['kubernetes://', 'kubernetes://a/b/c', 'kubernetes://A', 'kubernetes:///a', 'kubernetes://../a'])
      assert.equal(parsed(bad)?.ok, false, bad);
    assert.equal(parsed('default'), undefined);
  });
});

describe('sds: bundles of other trust domains', () => {
  it('are PEM or a SPIFFE bundle; the last good one stays, one that left the configuration goes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-names-'));
    const path = join(folder, 'other');
    const root = await selfSignedRoot();
    const x5c = [Buffer.from(root.certificate.rawData).toString('base64')];
    writeFileSync(path, root.certificate.toString('pem'));
    let told = 0;
    const time = new StillTime();
    const bundles = new FederatedBundles(time, log, () => (told += 1));
    await bundles.configure(new Map([[OTHER, path]]));
    assert.equal(bundles.x509().get(OTHER)?.roots.length, 1);
    assert.equal(bundles.jwt().size, 0);
    const jwk = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b', use: 'jwt-svid', kid: 'k' };
    assert.ok(!parseFederatedBundle(JSON.stringify({ keys: [jwk] })).ok);
    writeFileSync(path, JSON.stringify({ keys: [{ kty: 'EC', use: 'x509-svid', x5c }] }));
    await look(time);
    assert.ok(bundles.jwt().has(OTHER));
    assert.equal(bundles.x509().get(OTHER)?.roots.length, 1);
    writeFileSync(path, 'broken');
    await look(time);
    assert.equal(bundles.x509().size, 1);
    const before = told;
    await bundles.configure(new Map());
    assert.deepEqual([bundles.x509().size, bundles.jwt().size, told], [0, 0, before + 1]);
    bundles.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
