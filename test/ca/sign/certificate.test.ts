import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  SubjectAlternativeNameExtension,
  X509Certificate as PeculiarCertificate,
  X509ChainBuilder,
} from '@peculiar/x509';
import type { RequestedKey } from '../../../ca/csr/keys.ts';
import { verifyRequest } from '../../../ca/csr/verify.ts';
import { hex } from '../../../ca/der/read.ts';
import { time } from '../../../ca/der/write.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadOrCreateRoot, type Root } from '../../../ca/root/load.ts';
import { type Plan, signCertificate } from '../../../ca/sign/build.ts';
import { newSerial, pooled } from '../../../ca/sign/serial.ts';
import { validity } from '../../../ca/sign/validity.ts';
import { checkIssued } from '../../../ca/validate/certificate.ts';
import type { Intended } from '../../../ca/validate/intended.ts';
import { readBack } from '../../../ca/validate/read-back.ts';
import { releaseCheck } from '../../../ca/validate/release.ts';
import { must } from '../identity/must.ts';
import { requestDer, testKey } from '../requests.ts';
import { memoryLog, TD, temporaryFolder } from '../world.ts';

const ID = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
const NOW = new Date('2026-11-21T12:00:00.500Z');

function keyOf(kind: Parameters<typeof testKey>[0], name = ''): RequestedKey {
  const verified = verifyRequest(requestDer({ key: testKey(kind, name) }));
  if (!verified.ok) throw new Error(verified.refusal.reason);
  return verified.value.key;
}

describe('ca/sign: the certificate', () => {
  const folder = temporaryFolder();
  let root: Root;
  const plan = (changes: Partial<Plan> = {}): Plan => {
    const valid = validity(NOW, 3600, root.issuer.validity);
    assert.ok(valid);
    return {
      serial: newSerial(randomBytes),
      names: { kind: 'workload', spiffeId: ID },
      key: keyOf('P-256'),
      validity: valid,
      ...changes,
    };
  };
  const intendedBy = (meant: Plan): Intended => ({
    serial: hex(meant.serial),
    subjectAltName: `URI:${ID}`,
    key: meant.key,
    validity: meant.validity,
    longestSeconds: 24 * 3600,
  });
  /** Both readers must find a fault, or neither; gives what OpenSSL's says. */
  const check = (der: Uint8Array, meant: Plan, now = NOW, issuer = root.issuer) => {
    const checked = checkIssued(der, intendedBy(meant), issuer, now);
    const fault = readBack(der, intendedBy(meant), issuer, now);
    assert.equal(fault === undefined, checked.ok, `${fault} / ${checked.ok ? 'fine' : checked.fault}`);
    return checked;
  };

  before(async () => {
    root = await loadOrCreateRoot(folderAt(join(folder.path, 'ca')), { clock: () => NOW, trustDomain: TD, log: memoryLog().log });
  });
  after(() => folder.remove());

  it('is an X.509-SVID for every kind of key', async () => {
    for (const kind of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] as const) {
      const meant = plan({ key: keyOf(kind) });
      const der = await signCertificate(meant, root.issuer);
      const checked = check(der, meant);
      assert.ok(checked.ok, checked.ok ? '' : checked.fault);
      assert.equal(checked.certificate.validFrom, 'Nov 21 11:58:00 2026 GMT');
      assert.equal(checked.certificate.validTo, 'Nov 21 13:00:00 2026 GMT');
      // The general library reads the same out of it, and writes it in the same bytes.
      const read = new PeculiarCertificate(new X509Certificate(der).toString());
      const issuing = new PeculiarCertificate(root.issuer.certificate.toString());
      assert.ok(await read.verify({ publicKey: issuing, date: NOW }));
      assert.deepEqual(read.getExtension(SubjectAlternativeNameExtension)?.names.toJSON(), [{ type: 'url', value: ID }]);
      assert.equal(read.getExtension(AuthorityKeyIdentifierExtension)?.keyId, hex(root.issuer.keyId));
      const chain = await new X509ChainBuilder({ certificates: [issuing] }).build(read);
      assert.equal(chain.length, 2);
    }
  });

  it('satisfies openssl verify, purpose and all', async function () {
    const meant = plan();
    const path = join(folder.path, 'leaf.pem');
    writeFileSync(path, new X509Certificate(await signCertificate(meant, root.issuer)).toString());
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
    } catch {
      if (process.env['CI']) throw new Error('openssl is needed');
      this.skip();
    }
    for (const purpose of ['sslserver', 'sslclient']) {
      const at = String(Math.floor(NOW.getTime() / 1000));
      const args = [
        'verify',
        '-x509_strict',
        '-attime',
        at,
        '-purpose',
        purpose,
        '-CAfile',
        join(folder.path, 'ca', 'root-cert.pem'),
        path,
      ];
      assert.match(execFileSync('openssl', args, { encoding: 'utf8' }), /OK/);
    }
  });

  it('has a new serial each time: positive, of 126 random bits', () => {
    const random = pooled(randomBytes);
    const serials = new Set(Array.from({ length: 1000 }, () => hex(newSerial(random))));
    assert.equal(serials.size, 1000);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/);
    assert.equal(hex(newSerial((size) => new Uint8Array(size))), `40${'00'.repeat(15)}`);
    assert.equal(hex(newSerial((size) => new Uint8Array(size).fill(255))), `7f${'ff'.repeat(15)}`);
  });

  it('writes times as RFC 5280 asks', () => {
    assert.equal(time(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2), '491231235959Z');
    assert.equal(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z');
  });

  it('is held back when it is not what was meant', async () => {
    const meant = plan();
    const other = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/admin'));
    const long = validity(NOW, 48 * 3600, root.issuer.validity);
    assert.ok(long);
    const cases: [Plan, RegExp][] = [
      [{ ...meant, names: { kind: 'workload', spiffeId: other } }, /other names/],
      [{ ...meant, names: { kind: 'workload', spiffeId: ID, dnsNames: ['gatehouse'] } }, /other names/],
      [{ ...meant, names: { kind: 'server', dnsNames: ['gatehouse'], addresses: [] } }, /other names/],
      [{ ...meant, serial: newSerial(randomBytes) }, /serial/],
      [{ ...meant, key: keyOf('P-256', 'other') }, /another key/],
      [{ ...meant, validity: long }, /another validity/],
    ];
    for (const [made, text] of cases) {
      const checked = check(await signCertificate(made, root.issuer), meant);
      assert.match(checked.ok ? 'released' : checked.fault, text);
    }
    const tooLong = { ...meant, validity: long };
    assert.match(faultOf(check(await signCertificate(tooLong, root.issuer), tooLong)), /lives too long/);
    const later = new Date(NOW.getTime() + 3600_000);
    assert.match(faultOf(check(await signCertificate(meant, root.issuer), meant, later)), /not valid now/);
    const broken = { ...root.issuer, sign: (bytes: Uint8Array) => root.issuer.sign(Buffer.concat([bytes, Buffer.from([0])])) };
    assert.match(faultOf(check(await signCertificate(meant, broken), meant)), /signature does not verify/);
    const elsewhere = temporaryFolder();
    const foreign = await loadOrCreateRoot(folderAt(join(elsewhere.path, 'ca')), {
      clock: () => NOW,
      trustDomain: TD,
      log: memoryLog().log,
    });
    elsewhere.remove();
    assert.match(faultOf(check(await signCertificate(meant, foreign.issuer), meant)), /issuer|signature/);
    assert.match(faultOf(check(root.issuer.certificate.raw, meant)), /CA certificate/);
    assert.match(faultOf(check(Buffer.from('3000', 'hex'), meant)), /does not parse/);
  });

  it('is held back when any byte of it is another, or missing', async () => {
    for (const kind of ['P-256', 'RSA-2048'] as const) {
      const meant = plan({ key: keyOf(kind) });
      const der = await signCertificate(meant, root.issuer);
      const fault = (bytes: Uint8Array) => readBack(bytes, intendedBy(meant), root.issuer, NOW);
      assert.equal(fault(der), undefined);
      for (let at = 0; at < der.length; at++) {
        for (const bit of [0x01, 0x80]) {
          const changed = Uint8Array.from(der);
          changed[at] = (changed[at] ?? 0) ^ bit;
          assert.ok(fault(changed) !== undefined, `byte ${at}`);
        }
        assert.ok(fault(der.subarray(0, at)) !== undefined, `cut at ${at}`);
      }
      assert.ok(fault(Buffer.concat([der, Buffer.from([0])])) !== undefined);
    }
  });

  it('is shown to OpenSSL first for each issuer and kind of key, then now and then', async () => {
    let shown = 0;
    const counted = {
      ...root.issuer,
      get certificate() {
        shown++;
        return root.issuer.certificate;
      },
    };
    const release = releaseCheck();
    for (const kind of ['P-256', 'Ed25519'] as const) {
      const meant = plan({ key: keyOf(kind) });
      const der = await signCertificate(meant, counted);
      for (let time = 0; time < 300; time++) assert.equal(release(der, intendedBy(meant), counted, NOW), undefined);
    }
    assert.equal(shown, 4);
  });
});

function faultOf(checked: ReturnType<typeof checkIssued>): string {
  return checked.ok ? 'released' : checked.fault;
}
