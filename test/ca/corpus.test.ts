import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { verifyRequest } from '../../ca/csr/verify.ts';
import { parseBundle } from '../../ca/root/chain.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { loadRoot } from '../../ca/root/load.ts';
import { peerVerifier } from '../../ca/tls/peer.ts';
import { temporaryFolder } from './world.ts';
import { FURTHER, NOT_RUN, type PkiCase } from './corpus/harness.ts';
import { CORPORA, isPresent } from '../shared-data.ts';

interface Case extends PkiCase {
  readonly kind?: string;
  readonly table?: string;
  readonly valid?: boolean;
  readonly bundle?: string;
  readonly numAuthorities?: number;
  readonly row?: {
    readonly caCertFile?: string;
    readonly caKeyFile?: string;
    readonly certChainFile?: readonly string[];
    readonly rootCertFile?: string;
    readonly expectedErr?: string;
    readonly pem?: string;
    readonly errMsg?: string;
  };
}

const theme = join(CORPORA, 'pki');
const file = join(theme, 'cases.json');

// An authority without roots authenticates no one, so an empty bundle is refused here where go-spiffe takes it.
const STRICTER: ReadonlySet<string> = new Set(['x509bundle-parse/empty']);

async function pluggedIn({ row = {} }: Case): Promise<void> {
  const temporary = temporaryFolder();
  try {
    const dir = join(temporary.path, 'ca');
    mkdirSync(dir, { mode: 0o700 });
    const put = (from: string | undefined, name: string, mode: number) => {
      if (from === undefined || !existsSync(join(theme, from))) return;
      copyFileSync(join(theme, from), join(dir, name));
      chmodSync(join(dir, name), mode);
    };
    put(row.caCertFile, 'ca-cert.pem', 0o644);
    put(row.caKeyFile, 'ca-key.pem', 0o600);
    put(row.certChainFile?.[0], 'cert-chain.pem', 0o644);
    put(row.rootCertFile, 'root-cert.pem', 0o644);
    if (row.expectedErr !== undefined) await assert.rejects(loadRoot(folderAt(dir)), { name: 'AuthorityError' });
    else assert.ok((await loadRoot(folderAt(dir))).roots.length > 0);
  } finally {
    temporary.remove();
  }
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const NOT_AFTER = new Date('2030-01-01T00:00:00Z');

/** A leaf made as the row of go-spiffe's table describes, and what our verifier of peers says of it. */
async function verifiedLeaf(id: string): Promise<{ readonly ok: boolean; readonly reason?: string }> {
  const [caKeys, leafKeys] = [
    await crypto.subtle.generateKey(EC, true, ['sign', 'verify']),
    await crypto.subtle.generateKey(EC, true, ['sign', 'verify']),
  ];
  const is = (name: string) => id.endsWith(name);
  const ca = (name: string, keys: CryptoKeyPair) =>
    X509CertificateGenerator.createSelfSigned({
      keys,
      name,
      notAfter: NOT_AFTER,
      signingAlgorithm: EC,
      extensions: [new BasicConstraintsExtension(true, undefined, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
    });
  const issuer = await ca('CN=domain1.test', caKeys);
  // digitalSignature, alone or with keyCertSign or cRLSign.
  const usages = is('leaf-has-keyusagecertsign') ? '03020284' : is('leaf-has-keyusagecrlsign') ? '03020182' : '03020780';
  const uri = { type: 'url', value: 'spiffe://domain1.test/workload' } as const;
  const leaf = await X509CertificateGenerator.create({
    publicKey: leafKeys.publicKey,
    signingKey: caKeys.privateKey,
    issuer: issuer.subject,
    notAfter: NOT_AFTER,
    signingAlgorithm: EC,
    extensions: [
      new BasicConstraintsExtension(is('leaf-is-ca'), undefined, true),
      new Extension('2.5.29.15', true, Uint8Array.from(Buffer.from(usages, 'hex'))),
      new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
      new SubjectAlternativeNameExtension(is('more-than-one-uri-san') ? [uri, uri] : [uri], true),
    ],
  });
  const root = is('no-roots-for-leaf-cert-domain') ? await ca('CN=domain2.test', leafKeys) : issuer;
  const certificate = new X509Certificate(leaf.toString('pem'));
  const issuers = [new X509Certificate(root.toString('pem'))];
  const now = new Date(NOT_AFTER.getTime() + (is('with-time') ? 1000 : -1000));
  return peerVerifier(
    () => issuers,
    () => now,
  )({
    getAuthContext: () => ({ sslPeerCertificate: { raw: certificate.raw, fingerprint256: certificate.fingerprint256 } }),
  });
}

const HARNESS: Readonly<Record<string, (row: Case) => void | Promise<void>>> = {
  ...FURTHER,
  'x509bundle-parse': (row) => {
    const bundle = parseBundle(readFileSync(join(theme, row.bundle ?? ''), 'utf8'));
    assert.equal(bundle.ok, row.valid === true && !STRICTER.has(row.id));
    if (bundle.ok) assert.equal(bundle.value.length, row.numAuthorities);
  },
  'x509svid-verify': async (row) => {
    const verified = await verifiedLeaf(row.id);
    assert.equal(verified.ok, row.valid, verified.reason);
  },
  TestNewVerifiedKeyCertBundleFromFile: pluggedIn,
  // Revocation lists are made here and never plugged in; the other files open.
  TestNewVerifiedKeyCertBundleFromFileWithCrl: pluggedIn,
  TestParsePemEncodedCertificateChain: ({ row = {} }) => assert.equal(parseBundle(row.pem ?? '').ok, row.errMsg === undefined),
  TestParsePemEncodedCertificate: ({ row = {} }) => assert.equal(parseBundle(row.pem ?? '').ok, row.errMsg === undefined),
  TestParsePemEncodedCSR: ({ row = {} }) => {
    const result = verifyRequest(row.pem ?? '');
    // Istio parses its RSA-1024 request; here the key is too small, which is found after the structure was read.
    assert.match(result.ok ? '' : result.refusal.reason, row.errMsg === undefined ? /2048 to 4096 bits/ : /PEM block/);
  },
};

describe('ca: corpus pki', () => {
  if (!isPresent(file)) {
    it('is not here', function () {
      this.skip();
    });
    return;
  }
  const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(file, 'utf8'));
  for (const row of cases) {
    const run = HARNESS[row.table ?? row.kind ?? ''];
    if (run !== undefined && !NOT_RUN.has(row.id)) it(row.id, () => run(row));
  }

  it('is run whole, but for what docs/divergences.md names', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'divergences.md'), 'utf8');
    const left = cases.filter((row) => NOT_RUN.has(row.id) || HARNESS[row.table ?? row.kind ?? ''] === undefined);
    assert.deepEqual(
      left.map(({ id }) => id),
      cases.filter(({ id }) => NOT_RUN.has(id)).map(({ id }) => id),
    );
    assert.equal(left.length, NOT_RUN.size, 'each of them is in the corpus');
    for (const { id } of [...left, ...cases.filter(({ id }) => STRICTER.has(id))]) assert.ok(page.includes(`pki/${id}`), id);
  });
});
