import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseKey } from '../../../ca/csr/keys.ts';
import { toPem } from '../../../ca/der/pem.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { generateKey, KEY_TYPES, type KeyType, parseKeyType } from '../../../ca/key-store/key-type.ts';
import { memorySigner } from '../../../ca/key-store/signer.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { signCertificate } from '../../../ca/sign/build.ts';
import { type Issuer, issuerOf } from '../../../ca/sign/issuer.ts';
import type { CertificateNames } from '../../../ca/sign/names.ts';
import { newSerial } from '../../../ca/sign/serial.ts';
import { validity } from '../../../ca/sign/validity.ts';
import { createPublicKey } from 'node:crypto';
import { findTool } from '../../tools/find.ts';
import { must } from '../identity/must.ts';
import { TD, temporaryFolder } from '../world.ts';

/** What holds for certificates of any kind; rules of public web CAs (CA/Browser Forum) are not meant for a mesh. */
const SOURCES = 'RFC5280,RFC5480,RFC5891,RFC8813,Community';

/** Findings that stay, each with its reason in docs/ca.md. */
const KNOWN: ReadonlySet<string> = new Set([]);

const TYPES: readonly KeyType[] = Object.keys(KEY_TYPES).map((name) => must(parseKeyType(name)));

const NAMES: readonly CertificateNames[] = [
  { kind: 'workload', spiffeId: must(parseSpiffeId(`spiffe://${TD}/ns/shop/sa/cart`)) },
  {
    kind: 'workload',
    spiffeId: must(parseSpiffeId(`spiffe://${TD}/ns/shop/sa/cart`)),
    dnsNames: ['cart.shop.svc.cluster.local'],
  },
  { kind: 'server', dnsNames: ['gatehouse.istio-system.svc', 'localhost'], addresses: [Uint8Array.of(127, 0, 0, 1)] },
];

describe('ca: certificates under zlint', () => {
  const temporary = temporaryFolder();
  const keys = new Map<KeyType, ReturnType<typeof createPublicKey>>();
  let zlint = '';
  before(async function () {
    this.timeout(600_000);
    const found = findTool('zlint');
    if (found === undefined) return this.skip();
    zlint = found;
    for (const type of TYPES) keys.set(type, createPublicKey(await generateKey(type)));
  });
  after(() => temporary.remove());

  /** Names of the rules that a certificate breaks, errors and warnings, but for those that are known. */
  function findings(pem: string): readonly string[] {
    const path = join(temporary.path, 'certificate.pem');
    writeFileSync(path, pem);
    const printed = execFileSync(zlint, [`-includeSources=${SOURCES}`, path], { encoding: 'utf8' });
    const results: Record<string, { result: string; details?: string }> = JSON.parse(printed);
    const rules = Object.entries(results);
    assert.ok(rules.filter(([, { result }]) => result === 'pass').length > 20, 'the linter looked at it');
    return rules
      .filter(([name, { result }]) => ['fatal', 'error', 'warn'].includes(result) && !KNOWN.has(name))
      .map(([name, { result, details }]) => `${result} ${name} ${details ?? ''}`.trim());
  }

  async function issuerWith(type: KeyType): Promise<{ issuer: Issuer; pem: string }> {
    const { certificatePem, key } = await createRoot(TD, new Date(), type);
    return { issuer: must(issuerOf(new X509Certificate(certificatePem), must(memorySigner(key)))), pem: certificatePem };
  }

  for (const type of TYPES)
    it(`are without findings: a root with a key of the type ${type}, and leaves of every type under it`, async function () {
      this.timeout(60_000);
      const { issuer, pem } = await issuerWith(type);
      assert.deepEqual(findings(pem), []);
      for (const leaf of TYPES)
        for (const names of NAMES) {
          const publicKey = keys.get(leaf);
          const key = must(parseKey(publicKey?.export({ type: 'spki', format: 'der' }) ?? Buffer.alloc(0)));
          const valid = validity(new Date(), 3600, issuer.validity);
          assert.ok(valid);
          const der = await signCertificate({ serial: newSerial(randomBytes), names, key, validity: valid }, issuer);
          assert.deepEqual(findings(toPem('CERTIFICATE', der)), [], `${leaf} ${names.kind}`);
        }
    });

  it('has findings where something is wrong', async () => {
    const { issuer } = await issuerWith('ec-p256');
    const key = must(parseKey(issuer.publicKey.export({ type: 'spki', format: 'der' })));
    const names: CertificateNames = { kind: 'server', dnsNames: ['not a name'], addresses: [] };
    const serial = Uint8Array.of(0xff);
    const der = await signCertificate({ serial, names, key, validity: issuer.validity }, issuer);
    assert.ok(findings(toPem('CERTIFICATE', der)).length > 0);
  });
});
