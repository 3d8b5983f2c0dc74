import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { certificateFields } from '../../../ca/der/certificate.ts';
import { soleElement } from '../../../ca/der/read.ts';
import { sequence } from '../../../ca/der/write.ts';
import { nodeProxies } from '../../../ca/authenticate/node-proxies.ts';
import { formatSpiffeBundle, parseSpiffeBundle } from '../../../ca/bundle/spiffe-bundle.ts';
import { verifyRequest } from '../../../ca/csr/verify.ts';
import { fetchBundle } from '../../../ca/federation/fetch.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { readPrivateKey } from '../../../ca/import/private-key.ts';
import { keyTypeOf } from '../../../ca/key-store/key-type.ts';
import { parseBundle } from '../../../ca/root/chain.ts';
import { generalNames, parseIpAddress } from '../../../ca/sign/names.ts';
import { lifetime } from '../../../ca/sign/validity.ts';
import { generalNamesOf } from '../../../ca/validate/name-constraints.ts';
import { acceptCertificate } from '../../../sds/identity/accept.ts';
import { parseBundle as parseTrust, parseCertificates } from '../../../sds/identity/bundle.ts';
import { hasAuthorityMarks } from '../../../sds/identity/authority-marks.ts';
import { requestFor, newKey } from '../../../sds/identity/request.ts';
import { endedAt } from '../../../sds/identity/token.ts';
import { CORPORA } from '../../shared-data.ts';
import { must } from '../identity/must.ts';
import { extension, requestPem, testKey } from '../requests.ts';
import { testAuthority } from '../upstream/certificates.ts';
import { TD, world } from '../world.ts';

interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly account: string;
  readonly uid: string;
}

/** The fields of a case that this harness reads; rows of Go tables leave zero values out. */
export interface PkiCase {
  readonly id: string;
  readonly valid?: boolean;
  readonly bundle?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly spiffeId?: string | null;
  readonly row?: {
    readonly pem?: string;
    readonly rootCertFile?: string;
    readonly expectedErr?: unknown;
    readonly errMsg?: string;
    readonly errContains?: string;
    readonly size?: number;
    readonly certChainPem?: string;
    readonly rootCertPem?: string;
    readonly privPem?: string;
    readonly expectedFields?: { readonly Host?: string };
    readonly hosts?: string;
    readonly expectedExt?: { readonly Value: { readonly '@base64': string } };
    readonly exts?: readonly { readonly Id: readonly number[]; readonly Value?: { readonly '@base64': string } }[];
    readonly expectedIDs?: readonly string[];
    readonly body?: string;
    readonly statusCode?: number;
    readonly wantNumCerts?: number;
    readonly jwt?: string;
    readonly csrOptions?: { readonly ECSigAlg?: string };
    readonly forCA?: boolean;
    readonly caller?: {
      readonly PodName: string;
      readonly PodNamespace: string;
      readonly PodServiceAccount: string;
      readonly PodUID: string;
    };
    readonly pods?: readonly Pod[];
    readonly requestedIdentityString?: string;
    readonly wantErr?: string;
  };
}

/** Rows that have nothing here to run against, or where we differ on purpose; docs/divergences.md says why. */
export const NOT_RUN: ReadonlySet<string> = new Set([
  'istio/certoptionsandretrieveid/no-san-ec',
  'istio/certoptionsandretrieveid/ec-success',
  'istio/verifycert/extkeyusage-error',
  'istio/verifycert/timestamp-error',
  'istio/verifycert/keyusage-error',
  'istio/verifycert/org-error',
  'istio/certexpired/not-expired-cert',
  'istio/buildsubjectaltnameextension/uri-ip-and-dns-hosts',
  'istio/dualusecommonname/single-host',
  'istio/dualusecommonname/multiple-hosts',
  'istio/appendrootcerts/empty-pem-cert-and-root-file',
  'istio/appendrootcerts/non-empty-pem-cert',
  'istio/appendrootcerts/non-empty-pem-cert-and-non-empty-root-file',
  'istio/getwaittime/success',
  'istio/getwaittime/invalid-cert-pem',
  'istio/getaud/two-audiences-list',
  'istio/getaud/one-audience-list',
  'istio/getgeneralcertpoolandverifypeercert/successful-validation',
  'istio/getgeneralcertpoolandverifypeercert/unknown-trust-domain',
  'istio/getgeneralcertpoolandverifypeercert/trustdomain-not-mapped-to-the-needed-root-cert',
]);

const theme = join(CORPORA, 'pki');
const text = (path: string): string => readFileSync(join(theme, path), 'utf8');
const CORPUS_TIME = Date.parse('2026-01-01T00:00:00Z');

/** go-spiffe's parsing of certificate and key; ours is done by the agent in the same go as the verification of the chain. */
function parsedSvid({ cert = '', key = '' }: PkiCase): string | undefined {
  const certificates = parseCertificates(text(cert));
  if (!certificates.ok) return certificates.reason;
  const [leaf, ...above] = certificates.value;
  if (leaf === undefined) return 'no certificate';
  let privateKey;
  try {
    privateKey = createPrivateKey(text(key));
  } catch {
    return 'no private key';
  }
  if (!leaf.checkPrivateKey(privateKey)) return 'the key is another one';
  if (hasAuthorityMarks(leaf)) return 'a CA certificate';
  const usage = certificateFields(leaf.raw)?.extensions.get('551d0f');
  if (((soleElement(usage?.value ?? new Uint8Array())?.value[1] ?? 0) & 0x80) === 0) return 'no digitalSignature';
  return above.every(({ ca }) => ca) ? undefined : 'a signing certificate without the CA flag';
}

/** Rules of the standard, on what an authority here really issues. */
async function standardRule({ id }: PkiCase): Promise<void> {
  const home = await world();
  try {
    const authority = await home.open();
    const issued = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 60,
      authorization: [`Bearer ${await home.tokens.token()}`],
    });
    assert.ok(issued.ok);
    const [leaf = '', root = ''] = issued.value.certChain;
    const extensionsOf = (pem: string) => certificateFields(new X509Certificate(pem).raw)?.extensions;
    const usage = (pem: string) => extensionsOf(pem)?.get('551d0f');
    const bits = (pem: string) => soleElement(usage(pem)?.value ?? new Uint8Array())?.value[1] ?? 0;
    const rules: Readonly<Record<string, () => void>> = {
      '02': () => assert.ok(usage(leaf)?.critical === true && usage(root)?.critical === true),
      '03': () => assert.equal(bits(root) & 0x04, 0x04),
      '04': () => assert.deepEqual([bits(leaf) & 0x80, bits(leaf) & 0x06], [0x80, 0]),
      '05': () => assert.ok(extensionsOf(leaf)?.has('551d25')),
      '06': () => assert.deepEqual(new X509Certificate(leaf).keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
      '09': () => {
        const bundle = formatSpiffeBundle({ x509Authorities: [new X509Certificate(root)], jwtAuthorities: new Map() });
        const { keys }: { keys: { use: string; kid?: string; x5c: string[] }[] } = JSON.parse(bundle);
        assert.deepEqual(
          keys.map(({ use, kid, x5c }) => [use, kid, x5c.length]),
          [['x509-svid', undefined, 1]],
        );
      },
    };
    const rule = rules[id.slice(-2)];
    assert.ok(rule, id);
    rule();
  } finally {
    await home.close();
  }
}

/** The bundle endpoint of the row, with a certificate that is trusted or not. */
async function bundleEndpoint({ row = {} }: PkiCase): Promise<void> {
  const root = await testAuthority({ name: 'web root' });
  const server = await testAuthority({ name: 'endpoint', issuer: root, ca: false, ips: ['127.0.0.1'] });
  const other = await testAuthority({ name: 'other root' });
  const http = createServer({ cert: server.pem, key: server.keyPem }, (_, response) => {
    response.statusCode = row.statusCode ?? 200;
    response.end(row.body);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  try {
    const address = http.address();
    assert.ok(typeof address === 'object' && address !== null);
    const trusted = row.errContains?.startsWith('x509') === true ? other : root;
    const fetched = await fetchBundle(`https://127.0.0.1:${address.port}/`, { kind: 'web', rootsPem: trusted.pem });
    assert.equal(
      fetched.ok ? fetched.value.bundle.x509Authorities.length : undefined,
      row.wantNumCerts,
      fetched.ok ? '' : fetched.reason,
    );
  } finally {
    http.close();
  }
}

function verifyCert({ row = {} }: PkiCase): void {
  const bundle = parseTrust(row.rootCertPem ?? '');
  assert.ok(bundle.ok);
  const id = parseSpiffeId(row.expectedFields?.Host ?? '');
  const key = row.privPem === undefined ? testKey('P-256') : createPrivateKey(row.privPem);
  const asked = id.ok ? id.value : must(parseSpiffeId(`spiffe://${TD}/expected`));
  const taken = acceptCertificate([row.certChainPem ?? ''], { id: asked, key }, bundle.value, CORPUS_TIME);
  assert.equal(taken.ok, row.expectedErr === undefined, taken.ok ? '' : taken.reason);
}

function nodeAuthorization({ row = {} }: PkiCase): void {
  const { caller, pods = [], requestedIdentityString = '' } = row;
  assert.ok(caller);
  const impersonate = nodeProxies({
    trusted: new Set(['istio-system/ztunnel']),
    placement: {
      nodeOf: (namespace, name) => pods.find((pod) => pod.namespace === namespace && pod.name === name)?.node,
      podsOnNode: (node) =>
        pods.filter((pod) => pod.node === node).map(({ account, ...pod }) => ({ ...pod, serviceAccount: account })),
    },
  });
  const { PodName: name, PodNamespace: namespace, PodServiceAccount: account, PodUID: uid } = caller;
  const id = must(parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/sa/${account}`));
  const evidence = { kind: 'token', subject: id } as const;
  const answer = impersonate({ id, evidence, pod: { namespace, name, uid } }, requestedIdentityString);
  assert.equal(answer.ok, row.wantErr === undefined, answer.ok ? '' : answer.refusal.reason);
}

export const FURTHER: Readonly<Record<string, (row: PkiCase) => void | Promise<void>>> = {
  'x509svid-parse': (row) => assert.equal(parsedSvid(row) === undefined, row.valid, parsedSvid(row)),
  'spiffe-bundle-jwks': ({ bundle = '', valid }) => assert.equal(parseSpiffeBundle(text(bundle)).ok, valid),
  'standard-rule': standardRule,
  TestRetrieveSpiffeBundleRootCerts: bundleEndpoint,
  TestVerifyCert: verifyCert,
  TestSingleClusterNodeAuthorization: nodeAuthorization,
  TestKeyCertBundleWithRootCertFromFile: ({ row = {} }) => {
    const read = () => must(parseBundle(text(row.rootCertFile ?? '')));
    if (row.expectedErr === undefined) assert.equal(read().length, 1);
    else assert.throws(read);
  },
  TestBuildSubjectAltNameExtension: ({ row = {} }) => {
    const address = parseIpAddress(row.hosts ?? '');
    const dnsNames = address === undefined ? [row.hosts ?? ''] : [];
    const built = generalNames({ kind: 'server', dnsNames, addresses: address === undefined ? [] : [address] });
    assert.equal(sequence(...built).toString('base64'), row.expectedExt?.Value['@base64']);
  },
  TestExtractIDs: ({ row = {} }) => {
    const names = row.exts?.find(({ Id }) => Id.join('.') === '2.5.29.17')?.Value;
    const read = generalNamesOf(names && Buffer.from(names['@base64'], 'base64'));
    const ids = read?.map(({ value }) => Buffer.from(value).toString('latin1')) ?? [];
    assert.deepEqual(ids, row.expectedIDs ?? []);
  },
  TestParsePemEncodedKey: async ({ row = {} }) => {
    const read = await readPrivateKey(row.pem ?? '', undefined);
    assert.equal(read.ok, row.errMsg === undefined, read.ok ? '' : read.reason);
  },
  TestGetRSAKeySize: async ({ row = {} }) => {
    const read = await readPrivateKey(row.pem ?? '', undefined);
    const type = read.ok ? keyTypeOf(createPublicKey(read.value)) : read;
    assert.equal(type.ok ? type.value : undefined, row.size === undefined ? undefined : `rsa-${row.size}`);
  },
  TestGenCSR: async ({ row = {} }) => {
    const id = must(parseSpiffeId(`spiffe://${TD}/ns/a/sa/b`));
    // Agents make P-256 keys; requests for RSA keys come from others.
    const rsa = row.csrOptions?.ECSigAlg === undefined;
    const csr = rsa ? requestPem({ key: testKey('RSA-2048'), uris: [id] }) : (await requestFor(id, await newKey())).csr;
    const verified = verifyRequest(csr);
    assert.ok(verified.ok);
    assert.deepEqual([verified.value.spiffeId, verified.value.key.kind], [id, rsa ? 'RSA' : 'P-256']);
  },
  // Ours cuts the lifetime instead of refusing, as newer Istio does, and never signs a CA.
  TestSignCSR: ({ row = {} }) => {
    if (row.forCA !== true) return assert.equal(lifetime(3 * 3600, { defaultSeconds: 3600, maxSeconds: 2 * 3600 }), 2 * 3600);
    const request = verifyRequest(
      requestPem({ extensions: [extension('551d13', sequence(Buffer.from('0101ff', 'hex')), true)] }),
    );
    assert.match(request.ok ? '' : request.refusal.reason, /CA certificate/);
  },
  TestGetExp: ({ row = {} }) => assert.equal(endedAt(row.jwt ?? '', Date.now()), undefined),
};
