import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { element, octetString, sequence } from '../../../ca/der/write.ts';
import { maySignCrls, signCrl } from '../../../ca/revocation/crl.ts';
import { listedCertificates } from '../../../ca/revocation/list.ts';
import { parseSerial, type Serial } from '../../../ca/revocation/revocation.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import type { Issuer } from '../../../ca/sign/issuer.ts';
import { must } from '../identity/must.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';

const NOW = new Date();
const LATER = new Date(NOW.getTime() + 14 * 24 * 3_600_000);

describe('ca: revocation lists', () => {
  let here: World;
  let issuer: Issuer;
  let leafPem: string;
  let serial: Serial;

  before(async () => {
    here = await world();
    const authority = await here.open();
    const issued = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 600,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(issued.ok, JSON.stringify(issued));
    leafPem = issued.value.certChain[0] ?? '';
    serial = must(parseSerial(issued.value.serial));
    ({ issuer } = await loadRoot(folderAt(here.caDir)));
  });
  after(() => here.close());

  const at = (name: string): string => join(here.dir, name);
  const openssl = (...args: readonly string[]): string => {
    try {
      return execFileSync('openssl', args, { stdio: 'pipe' }).toString();
    } catch (error) {
      assert.ok(error instanceof Error && 'stdout' in error && 'stderr' in error);
      return `${String(error.stdout)}${String(error.stderr)}`;
    }
  };
  const list = (serials: readonly string[], number = 7, reason = 'keyCompromise'): Promise<string> =>
    signCrl(
      {
        number,
        thisUpdate: NOW,
        nextUpdate: LATER,
        certificates: serials.map((text) => ({ serial: must(parseSerial(text)), time: NOW, reason })),
      },
      issuer,
    );
  const verified = (crl: string): string => {
    writeFileSync(at('crl.pem'), crl);
    writeFileSync(at('leaf.pem'), leafPem);
    return openssl(
      'verify',
      '-crl_check',
      '-x509_strict',
      '-CAfile',
      join(here.caDir, 'root-cert.pem'),
      '-CRLfile',
      at('crl.pem'),
      at('leaf.pem'),
    );
  };

  it('openssl reads every field', async () => {
    writeFileSync(at('crl.pem'), await list([serial, '00ff'], 300));
    const text = openssl('crl', '-in', at('crl.pem'), '-text', '-noout');
    assert.match(text, /Version 2 \(0x1\)/);
    assert.match(text, /X509v3 CRL Number: \n +300/);
    assert.match(text, /Authority Key Identifier/);
    assert.match(text, new RegExp(`Serial Number: ${serial.toUpperCase()}`));
    assert.match(text, /Serial Number: FF\n/);
    assert.match(text, /Key Compromise/);
  });

  it('a listed certificate is refused, another is not', async () => {
    assert.match(verified(await list([serial])), /certificate revoked/);
    assert.match(verified(await list(['0123456789abcdef'])), /leaf\.pem: OK/);
    assert.match(verified(await list([])), /leaf\.pem: OK/);
  });

  it('one with tens of thousands of entries is still a list', async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `40${index.toString(16).padStart(30, '0')}`);
    assert.match(verified(await list(many)), /leaf\.pem: OK/);
    assert.match(verified(await list([...many, serial])), /certificate revoked/);
  });

  it('a reason in own words is written without a code', async () => {
    writeFileSync(at('crl.pem'), await list([serial], 1, 'stolen laptop'));
    assert.ok(!openssl('crl', '-in', at('crl.pem'), '-text', '-noout').includes('Reason Code'));
  });

  it('a CA that may not sign lists is known', () => {
    assert.ok(maySignCrls(issuer));
    const crlSign = element(3, Buffer.from('0106', 'hex'));
    const onlyCertificates = element(3, Buffer.from('0204', 'hex'));
    const der = issuer.certificate.raw.toString('hex');
    const without = der.replace(octetString(crlSign).toString('hex'), octetString(onlyCertificates).toString('hex'));
    assert.notEqual(without, der);
    assert.ok(!maySignCrls({ ...issuer, certificate: new X509Certificate(Buffer.from(without, 'hex')) }));
  });

  it('certificates revoked twice over are listed once', () => {
    const record = { reason: 'r', by: 'b', time: NOW.toISOString() };
    const certificate = { serial, notAfter: LATER.toISOString() };
    const identity = must(parseSerial('01'));
    const entries = [
      { kind: 'serial', ...certificate, ...record },
      { kind: 'serial', serial: identity, notAfter: LATER.toISOString(), ...record },
    ] as const;
    assert.deepEqual(
      listedCertificates({ entries }).map((entry) => entry.serial),
      ['01', serial],
    );
    assert.equal(sequence().length, 2);
  });
});
