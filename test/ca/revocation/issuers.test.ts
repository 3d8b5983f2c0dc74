import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../../../ca/der/pem.ts';
import { knownIssuers } from '../../../ca/revocation/issuers.ts';
import { parseIdentity, type RevocationTarget } from '../../../ca/revocation/revocation.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import type { Issuer } from '../../../ca/sign/issuer.ts';
import { must } from '../identity/must.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';

const cart: RevocationTarget = { kind: 'identity', identity: must(parseIdentity('cluster.local/ns/shop/sa/cart')) };
const WHY = { reason: 'keyCompromise', by: 'test' };
const HOUR = 3600;

describe('ca: revocation lists and who signs them', () => {
  let here: World;
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  it('an intermediate that was replaced is remembered until nothing under it is valid', async () => {
    await (await here.open()).close();
    const { issuer: root } = await loadRoot(folderAt(here.caDir));
    const intermediate = (id: string): Issuer => {
      const certificate = new X509Certificate(root.certificate.raw);
      Object.defineProperty(certificate, 'checkIssued', { value: () => false });
      return { ...root, certificate, keyId: Buffer.from(id, 'hex') };
    };
    const [one, other] = [intermediate('01'), intermediate('02')];
    const at = (seconds: number): Date => new Date(seconds * 1000);
    assert.deepEqual(knownIssuers([], [root], HOUR, at(0)), []);
    const first = knownIssuers([], [one], HOUR, at(0));
    assert.deepEqual(first, [{ keyId: '01', lifetimeSeconds: HOUR }]);
    assert.equal(knownIssuers(first, [one], HOUR, at(5)), first);
    const longer = knownIssuers(first, [one], 2 * HOUR, at(5));
    const replaced = knownIssuers(longer, [other], HOUR, at(10));
    assert.deepEqual(replaced, [
      { keyId: '01', lifetimeSeconds: 2 * HOUR, until: at(10 + 2 * HOUR).toISOString() },
      { keyId: '02', lifetimeSeconds: HOUR },
    ]);
    assert.equal(knownIssuers(replaced, [other], HOUR, at(2 * HOUR)), replaced);
    assert.deepEqual(knownIssuers(replaced, [other], HOUR, at(11 + 2 * HOUR)), [{ keyId: '02', lifetimeSeconds: HOUR }]);
    assert.deepEqual(knownIssuers(replaced, [one, other], HOUR, at(20)), [
      { keyId: '01', lifetimeSeconds: 2 * HOUR },
      { keyId: '02', lifetimeSeconds: HOUR },
    ]);
  });

  it('every root that may have issued signs one while roots rotate', async () => {
    const authority = await here.open({ settleMs: 0 });
    await authority.issue({ csr: requestPem(), ttlSeconds: 600, authorization: [`Bearer ${await here.tokens.token()}`] });
    await authority.revocations.revoke(cart, WHY);
    const lists = (): number => (authority.revocations.crlPem() ?? '').split('BEGIN X509 CRL').length - 1;
    assert.equal(lists(), 1);
    assert.ok((await authority.rotation.prepare()).ok);
    assert.equal(certificateBlocks(authority.rootCertPem).length, 2);
    assert.equal(lists(), 2);
  });

  it('lists of other CAs under the same roots are passed on; what is none is left out', async () => {
    const authority = await here.open();
    await authority.issue({ csr: requestPem(), ttlSeconds: 600, authorization: [`Bearer ${await here.tokens.token()}`] });
    await authority.revocations.revoke(cart, WHY);
    const own = authority.revocations.crlPem() ?? '';
    const file = join(here.caDir, 'ca-crl.pem');
    writeFileSync(file, `a comment\n${own}`);
    await authority.revocations.issuersChanged();
    assert.equal((authority.revocations.crlPem() ?? '').split('BEGIN').length - 1, 2);
    assert.ok((authority.revocations.crlPem() ?? '').endsWith(own));
    writeFileSync(file, own.replace('MII', 'AAA'));
    await authority.revocations.issuersChanged();
    assert.equal((authority.revocations.crlPem() ?? '').split('BEGIN').length - 1, 1);
    assert.ok(here.lines.some((line) => line['path'] === file));
    assert.ok(!readFileSync(join(here.caDir, 'revocations.json'), 'utf8').includes('CRL-----'));
  });
});
