import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { toPem } from '../../ca/der/pem.ts';
import { requestPem, testKey } from './requests.ts';
import { connect, createCertificate, serve } from './service/client.ts';
import { type World, world } from './world.ts';

const ALGORITHMS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'RSA-2048': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: Uint8Array.of(1, 0, 1), modulusLength: 2048 },
} as const;
type Kind = keyof typeof ALGORITHMS;

const DAY_MS = 24 * 3600_000;

async function keysOf(kind: Kind): Promise<CryptoKeyPair> {
  const algorithm = ALGORITHMS[kind];
  return algorithm.name === 'ECDSA'
    ? crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    : crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** Istio's cacerts layout: a root that ends sooner than its intermediate, which is what outlives mistakes are made of. */
async function plugIn(dir: string, kind: Kind, rootEnds: Date): Promise<void> {
  const [rootKeys, keys] = [await keysOf('P-256'), await keysOf(kind)];
  const caExtensions = async (publicKey: CryptoKey) => [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    await SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
  ];
  const notBefore = new Date(Date.now() - DAY_MS);
  const root = await X509CertificateGenerator.createSelfSigned({
    keys: rootKeys,
    name: 'CN=root',
    notBefore,
    notAfter: rootEnds,
    signingAlgorithm: ALGORITHMS['P-256'],
    extensions: await caExtensions(rootKeys.publicKey),
  });
  const intermediate = await X509CertificateGenerator.create({
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    issuer: root.subject,
    subject: 'CN=intermediate',
    notBefore,
    notAfter: new Date(Date.now() + 30 * DAY_MS),
    signingAlgorithm: ALGORITHMS['P-256'],
    extensions: await caExtensions(keys.publicKey),
  });
  mkdirSync(dir, { mode: 0o700 });
  const pem = (certificate: { toString(format: 'pem'): string }) => `${certificate.toString('pem')}\n`;
  writeFileSync(join(dir, 'root-cert.pem'), pem(root));
  writeFileSync(join(dir, 'ca-cert.pem'), pem(intermediate));
  writeFileSync(join(dir, 'cert-chain.pem'), pem(intermediate) + pem(root));
  const key = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  writeFileSync(join(dir, 'ca-key.pem'), toPem('PRIVATE KEY', key), { mode: 0o600 });
}

describe('ca: a plugged-in intermediate', () => {
  let here: World;
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  for (const kind of ['P-256', 'P-384', 'RSA-2048'] as const) {
    it(`of the kind ${kind} issues leaf, intermediate, root, and knows its own callers`, async () => {
      await plugIn(here.caDir, kind, new Date(Date.now() + 30 * DAY_MS));
      const authority = await here.open();
      const service = await serve(here, authority);
      const key = testKey('P-256', 'plugged');
      const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
      const client = connect(service.port, { rootsPem: authority.rootCertPem });
      const first = await createCertificate(client, { csr: requestPem({ key }), token: await here.tokens.token() });
      assert.ok(first.ok, first.ok ? '' : first.error.message);
      assert.equal(first.certChain.length, 3);
      assert.equal(new X509Certificate(first.certChain[1] ?? '').subject, 'CN=intermediate');
      assert.equal(first.certChain[2], authority.rootCertPem);
      const mutual = connect(service.port, { rootsPem: authority.rootCertPem, certPem: first.certChain.join(''), keyPem });
      const renewed = await createCertificate(mutual, { csr: requestPem({ key }) });
      assert.ok(renewed.ok, renewed.ok ? '' : renewed.error.message);
      for (const open of [client, mutual, service]) open.close();
      writeFileSync(join(here.dir, 'leaf.pem'), first.certChain[0] ?? '');
      const verified = execFileSync(
        'openssl',
        [
          'verify',
          '-CAfile',
          join(here.caDir, 'root-cert.pem'),
          '-untrusted',
          join(here.caDir, 'ca-cert.pem'),
          join(here.dir, 'leaf.pem'),
        ],
        { encoding: 'utf8' },
      );
      assert.match(verified, /OK/);
    });
  }

  it('issues nothing that outlives the root above it', async () => {
    const rootEnds = new Date(Math.floor(Date.now() / 1000) * 1000 + 3600_000);
    await plugIn(here.caDir, 'P-256', rootEnds);
    const authority = await here.open();
    assert.equal(authority.notAfter.getTime(), rootEnds.getTime());
    const made = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 0,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(made.ok && made.value.notAfter.getTime() === rootEnds.getTime());
    assert.equal(readFileSync(authority.rootCertPath, 'utf8').trim(), authority.rootCertPem.trim());
  });
});
