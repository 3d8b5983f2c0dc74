import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../../ca/authority.ts';
import { parseIdentity, parseSerial, type RevocationTarget, type Serial } from '../../../ca/revocation/revocation.ts';
import { revocationFile } from '../../../ca/revocation/file.ts';
import type { IssuedCertificate } from '../../../ca/revocation/issued.ts';
import { openRevocations, type Revocations } from '../../../ca/revocation/revocations.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import { eventually } from '../../eventually.ts';
import { must } from '../identity/must.ts';
import { requestPem } from '../requests.ts';
import { account, type World, world } from '../world.ts';

const CART = must(parseIdentity('cluster.local/ns/shop/sa/cart'));
const WHY = { reason: 'keyCompromise', by: 'test' };
const cart: RevocationTarget = { kind: 'identity', identity: CART };

describe('ca: revocation', () => {
  let here: World;
  let now: Date;
  beforeEach(async () => {
    now = new Date();
    here = await world(() => now);
  });
  afterEach(() => here.close());

  const issue = async (authority: Authority, name = 'cart', call?: Uint8Array) =>
    authority.issue({
      csr: requestPem(),
      ttlSeconds: 600,
      authorization: call === undefined ? [`Bearer ${await here.tokens.token({ sub: account('shop', name) })}`] : [],
      ...(call && {
        call: {
          getAuthContext: () => ({
            sslPeerCertificate: { raw: Buffer.from(call), fingerprint256: Buffer.from(call).toString('hex') },
          }),
        },
      }),
    });
  const issued = async (authority: Authority, name?: string): Promise<{ serial: Serial; der: Uint8Array }> => {
    const made = await issue(authority, name);
    assert.ok(made.ok, JSON.stringify(made));
    const base64 = (made.value.certChain[0] ?? '').replaceAll(/-----[^-]+-----|\n/g, '');
    return { serial: must(parseSerial(made.value.serial)), der: Buffer.from(base64, 'base64') };
  };
  const refusalOf = async (authority: Authority, name?: string, call?: Uint8Array): Promise<string> => {
    const made = await issue(authority, name, call);
    return made.ok ? 'issued' : `${made.refusal.code}: ${made.refusal.reason}`;
  };

  it('of an identity: nothing is issued for it, by token or certificate, until it is lifted; others go on', async () => {
    const authority = await here.open();
    const { serial, der } = await issued(authority);
    assert.equal(await refusalOf(authority, 'cart', der), 'issued');
    const revoked = await authority.revocations.revoke(cart, WHY);
    assert.ok(revoked.ok && revoked.value.kind === 'identity');
    // The first certificate and the one that was renewed with it.
    assert.equal(revoked.value.certificates.length, 2);
    assert.ok(revoked.value.certificates.some((certificate) => certificate.serial === serial));
    assert.match(
      await refusalOf(authority),
      /^forbidden: spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart was revoked at .*keyCompromise/,
    );
    assert.match(await refusalOf(authority, 'cart', der), /^unauthenticated: .*was revoked/);
    assert.equal(await refusalOf(authority, 'web'), 'issued');
    const newest = revoked.value.time;
    assert.deepEqual(authority.revocations.peers(), { identities: [CART], serials: [], newest });
    assert.match(authority.revocations.crlPem() ?? '', /BEGIN X509 CRL/);
    assert.ok((await authority.revocations.undo(cart)).ok);
    assert.equal(await refusalOf(authority), 'issued');
    assert.equal(await refusalOf(authority, 'cart', der), 'issued');
    assert.equal(authority.revocations.crlPem(), undefined);
    assert.ok(!(await authority.revocations.undo(cart)).ok);
  });

  it('of a serial: that certificate proves nothing any more, the identity gets another', async () => {
    const authority = await here.open();
    const [stolen, other] = [await issued(authority), await issued(authority)];
    const revoked = await authority.revocations.revoke({ kind: 'serial', serial: stolen.serial }, WHY);
    assert.ok(revoked.ok && revoked.value.kind === 'serial');
    assert.equal(revoked.value.identity, CART);
    assert.match(await refusalOf(authority, 'cart', stolen.der), /^unauthenticated: .*the certificate [0-9a-f]{32} was revoked/);
    assert.equal(await refusalOf(authority, 'cart', other.der), 'issued');
    assert.equal(await refusalOf(authority), 'issued');
  });

  it('of a serial that was never issued, or has expired, is refused', async () => {
    const authority = await here.open();
    const { serial } = await issued(authority);
    const unknown = await authority.revocations.revoke({ kind: 'serial', serial: must(parseSerial('4f3d')) }, WHY);
    assert.match(unknown.ok ? '' : unknown.reason, /no certificate with the serial number 4f3d/);
    now = new Date(now.getTime() + 601_000);
    const expired = await authority.revocations.revoke({ kind: 'serial', serial }, WHY);
    assert.match(expired.ok ? '' : expired.reason, /has expired/);
    assert.deepEqual(authority.revocations.list(), []);
  });

  it('outlives the process, with list numbers that only grow, and forgets certificates that have expired', async () => {
    const number = (): number =>
      (JSON.parse(readFileSync(join(here.caDir, 'revocations.json'), 'utf8')) as { crlNumber: number }).crlNumber;
    const first = await here.open();
    const { serial } = await issued(first, 'web');
    await issued(first);
    await first.revocations.revoke(cart, WHY);
    await first.revocations.revoke({ kind: 'serial', serial }, WHY);
    const before = number();
    await first.close();
    const second = await here.open();
    assert.ok(number() > before);
    assert.match(await refusalOf(second), /^forbidden: /);
    const newest = second.revocations.list().at(-1)?.time;
    assert.deepEqual(second.revocations.peers(), { identities: [CART], serials: [serial], newest });
    await second.close();
    now = new Date(now.getTime() + 2 * 3_600_000);
    const third = await here.open();
    // What is forgotten does not change when somebody was last cut off: proxies have nothing to end for it.
    assert.deepEqual(third.revocations.peers(), { identities: [CART], serials: [], newest });
    assert.equal(third.revocations.crlPem(), undefined);
  });

  it('a damaged list stops the start: it must not be taken for an empty one', async () => {
    const file = join(here.caDir, 'revocations.json');
    const authority = await here.open();
    await authority.revocations.revoke(cart, WHY);
    await authority.close();
    const good = readFileSync(file, 'utf8');
    const damaged = [
      '',
      '{}',
      good.slice(0, -20),
      good.replace('"version": 1', '"version": 2'),
      good.replace('cluster.local/', '/'),
    ];
    for (const text of damaged) {
      writeFileSync(file, text);
      await assert.rejects(here.open(), /revocations\.json is damaged/, text);
    }
    writeFileSync(file, good);
    const again = await here.open();
    assert.equal(again.revocations.list().length, 1);
  });

  it('when it cannot be written, nothing changes', async () => {
    const authority = await here.open();
    let told = 0;
    authority.revocations.onChange(() => (told += 1));
    mkdirSync(join(here.caDir, 'revocations.json'));
    await assert.rejects(authority.revocations.revoke(cart, WHY));
    assert.equal(told, 0);
    assert.equal(await refusalOf(authority), 'issued');
  });

  /** Revocations with a log whose search ends when told. */
  const searching = async (): Promise<{
    revocations: Revocations;
    found: (serials: readonly string[]) => void;
    seen: string[];
  }> => {
    await (await here.open()).close();
    const { issuer } = await loadRoot(folderAt(here.caDir));
    const search = Promise.withResolvers<readonly IssuedCertificate[]>();
    const revocations = await openRevocations({
      store: revocationFile(join(here.caDir, 'revocations.json')),
      findIssued: () => search.promise,
      publisher: { issuers: () => [issuer], lifetimeSeconds: 3600, othersFile: join(here.dir, 'none') },
      clock: () => now,
      every: () => () => undefined,
      log: here.log,
    });
    const seen: string[] = [];
    revocations.onChange(() =>
      seen.push(`${revocations.peers().identities.length} ${String(revocations.crlPem() !== undefined)}`),
    );
    const notAfter = new Date(now.getTime() + 60_000).toISOString();
    const found = (serials: readonly string[]): void =>
      search.resolve(serials.map((serial) => ({ serial: must(parseSerial(serial)), notAfter })));
    return { revocations, found, seen };
  };

  it('is in force for the authority before the log was searched, and for proxies when that takes long', async () => {
    const { revocations, found, seen } = await searching();
    const done = revocations.revoke(cart, WHY);
    await eventually('the authority to refuse', () => revocations.revoked(CART));
    await eventually('proxies to be told', () => (seen.length > 0 ? true : undefined));
    assert.deepEqual(seen, ['1 false']);
    found(['4f3d']);
    assert.ok((await done).ok);
    assert.deepEqual(seen, ['1 false', '1 true']);
  });

  it('tells proxies once when the search is quick', async () => {
    const { revocations, found, seen } = await searching();
    found(['4f3d']);
    assert.ok((await revocations.revoke(cart, WHY)).ok);
    assert.deepEqual(seen, ['1 true']);
    await revocations.undo(cart);
    assert.equal(revocations.revoked(CART), undefined);
  });

  it('lists are made anew each day, not each time the clock is looked at', async () => {
    const authority = await here.open({ maxTtlSeconds: 7 * 24 * 3600 });
    const made = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 7 * 24 * 3600,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(made.ok);
    await authority.revocations.revoke(cart, WHY);
    const first = authority.revocations.crlPem();
    const after = async (hours: number): Promise<string | undefined> => {
      now = new Date(now.getTime() + hours * 3_600_000);
      await authority.revocations.issuersChanged();
      return authority.revocations.crlPem();
    };
    assert.equal(await after(23), first);
    const second = await after(2);
    assert.notEqual(second, first);
    assert.match(second ?? '', /X509 CRL/);
    assert.equal(await after(7 * 24), undefined);
    assert.equal(authority.revocations.list().length, 1);
  });

  it('serial numbers are read as people paste them', () => {
    for (const text of ['4F:3D:00', '4f3d00', '0x4F3D00']) assert.equal(must(parseSerial(text)), '4f3d00');
    assert.equal(must(parseSerial('f')), '0f');
    for (const text of ['', 'xyz', '4f3d00 ; rm', '00'.repeat(21)]) assert.ok(!parseSerial(text).ok, text);
  });
});
