import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { Authority } from '../../../ca/authority.ts';
import { readIssuanceLog } from '../../../ca/log/read.ts';
import { readTokens, type TokenQuestion } from '../../../ca/log/read-tokens.ts';
import { type JwtBundle, openJwtAuthority } from '../../../ca/jwt-svid/authority.ts';
import { type JwtKey, newJwtKey } from '../../../ca/jwt-svid/key.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { must } from '../identity/must.ts';
import { account, TD, type World, world } from '../world.ts';

const ASKED = { audience: ['a', 'b', 'a'], ttlSeconds: 0, spiffeId: '' };
const CART = 'spiffe://cluster.local/ns/shop/sa/cart';

describe('ca/jwt-svid: the authority', () => {
  let now: Date;
  let here: World;
  let authority: Authority;
  beforeEach(async () => {
    now = new Date();
    here = await world(() => now);
    authority = await here.open();
  });
  afterEach(() => here.close());

  const caller = async (sub = account('shop', 'cart')) => ({ authorization: [`Bearer ${await here.tokens.token({ sub })}`] });

  function keySet({ keys }: JwtBundle) {
    // jose takes keys for signatures only, which SPIFFE marks by another use.
    return createLocalJWKSet({ keys: keys.map((key) => ({ ...key, use: 'sig' })) });
  }

  it('signs for the caller itself, with ES256, kid, aud, sub, exp and iat, for five minutes at most', async () => {
    const issued = await authority.jwt.issue(await caller(), ASKED);
    assert.ok(issued.ok);
    const { svid } = issued.value;
    const { payload } = await jwtVerify(svid, keySet(authority.jwt.bundle()), { audience: 'b', currentDate: now });
    assert.equal(payload.sub, CART);
    assert.deepEqual(payload.aud, ['a', 'b']);
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 300);
    const [key] = authority.jwt.bundle().keys;
    assert.deepEqual(decodeProtectedHeader(svid), { alg: 'ES256', kid: key?.kid, typ: 'JWT' });
    assert.equal(key?.use, 'jwt-svid');
    const long = await authority.jwt.issue(await caller(), { ...ASKED, ttlSeconds: 86_400 });
    assert.ok(long.ok);
    assert.equal(long.value.expiresAt.getTime() - long.value.issuedAt.getTime(), 300_000);
    const short = await authority.jwt.issue(await caller(), { ...ASKED, ttlSeconds: 7.9 });
    assert.ok(short.ok);
    assert.equal(short.value.expiresAt.getTime() - short.value.issuedAt.getTime(), 7000);
  });

  for (const [what, asked, code] of [
    ['another identity', { ...ASKED, spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders' }, 'forbidden'],
    ['no audience', { ...ASKED, audience: [] }, 'invalid'],
    ['an empty audience', { ...ASKED, audience: [''] }, 'invalid'],
    ['an audience with a line break', { ...ASKED, audience: ['a\nb'] }, 'invalid'],
    ['a huge audience', { ...ASKED, audience: ['a'.repeat(2049)] }, 'invalid'],
    ['seventeen audiences', { ...ASKED, audience: Array.from({ length: 17 }, (_, index) => `a${index}`) }, 'invalid'],
    ['a negative lifetime', { ...ASKED, ttlSeconds: -1 }, 'invalid'],
    ['a lifetime that is no number', { ...ASKED, ttlSeconds: Number.NaN }, 'invalid'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const refused = await authority.jwt.issue(await caller(), asked);
      assert.ok(!refused.ok);
      assert.equal(refused.refusal.code, code);
    });
  }

  it('refuses who does not say who it is, and who is revoked', async () => {
    const nobody = await authority.jwt.issue({ authorization: [] }, ASKED);
    assert.ok(!nobody.ok && nobody.refusal.code === 'unauthenticated');
    const foreign = await authority.jwt.issue({ authorization: ['Bearer a.b.c'] }, ASKED);
    assert.ok(!foreign.ok && foreign.refusal.code === 'unauthenticated');
    const identity = must(parseSpiffeId(CART));
    must(await authority.revocations.revoke({ kind: 'identity', identity }, { reason: 'key compromise', by: 'test' }));
    const revoked = await authority.jwt.issue(await caller(), ASKED);
    assert.ok(!revoked.ok && revoked.refusal.code === 'forbidden');
  });

  it('writes no token and no key into the log', async () => {
    const issued = await authority.jwt.issue(await caller(), ASKED);
    assert.ok(issued.ok);
    const text = JSON.stringify(here.lines);
    assert.match(text, /JWT-SVID issued/);
    const record = readFileSync(join(here.caDir, 'issuance.jsonl'), 'utf8');
    assert.ok(record.includes(`"kind":"jwt"`) && record.includes(issued.value.kid) && !record.includes(issued.value.svid));
    const read = await readIssuanceLog(join(here.caDir, 'issuance.jsonl'));
    assert.equal(read.unreadable, 0);
    const tokens = async (question: TokenQuestion) => {
      const found = [];
      for await (const token of readTokens(join(here.caDir, 'issuance.jsonl'), question)) found.push(token);
      return found;
    };
    const [token, ...more] = await tokens({ identity: CART, until: new Date(now.getTime() + 1000) });
    assert.deepEqual(more, []);
    assert.deepEqual([token?.audience, token?.kid, token?.evidence.kind], [['a', 'b'], issued.value.kid, 'token']);
    assert.deepEqual(await tokens({ identity: `${CART}2` }), []);
    assert.deepEqual(await tokens({ since: new Date(now.getTime() + 1000) }), []);
    assert.ok(!text.includes(issued.value.svid.split('.')[2] ?? '-') && !text.includes('PRIVATE KEY'));
  });

  it('keeps its keys over a restart, readable by the owner only', async () => {
    const issued = await authority.jwt.issue(await caller(), ASKED);
    await authority.close();
    const path = join(here.caDir, 'jwt-keys.json');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = await here.open();
    assert.ok(issued.ok);
    await jwtVerify(issued.value.svid, keySet(again.jwt.bundle()), { audience: 'a', currentDate: now });
    await again.close();
    chmodSync(path, 0o644);
    await assert.rejects(here.open(), /can be read by others/);
    chmodSync(path, 0o600);
    const good = readFileSync(path, 'utf8');
    for (const broken of ['', '{', '{}', good.slice(0, 150), good.replace(/MIG/, 'AAA')]) {
      writeFileSync(path, broken);
      await assert.rejects(here.open(), /jwt-keys\.json/);
    }
    writeFileSync(path, good);
    await (await here.open()).close();
  });

  it('rotates its key with overlap: no token fails before its end', async () => {
    const ticks: (() => void)[] = [];
    let saved: readonly JwtKey[] = [];
    const id = must(parseSpiffeId(CART));
    const rotating = await openJwtAuthority({
      ...{ keyPeriodSeconds: 3600, keyLeadSeconds: 600, maxTtlSeconds: 300 },
      trustDomain: TD,
      store: {
        load: () => Promise.resolve([]),
        save(keys) {
          saved = keys;
          return Promise.resolve(true);
        },
        make: (activeFrom) => Promise.resolve(newJwtKey(activeFrom)),
        retire: () => Promise.resolve(),
      },
      authenticate: () => Promise.resolve({ ok: true, value: { id, evidence: { kind: 'token', subject: '' } } }),
      commit: () => Promise.resolve(),
      clock: () => now,
      every: (_, task) => {
        ticks.push(task);
        return () => {};
      },
      log: here.log,
    });
    const live: { svid: string; until: number }[] = [];
    const kids = new Set<string>();
    // What a verifier has that asks as seldom as it may.
    let [known, asked] = [rotating.bundle(), now.getTime()];
    for (let minute = 0; minute < 200; minute++) {
      now = new Date(now.getTime() + 60_000);
      for (const tick of ticks) tick();
      await new Promise(setImmediate);
      if (now.getTime() - asked >= rotating.bundle().refreshHintSeconds * 1000) {
        known = rotating.bundle();
        asked = now.getTime();
      }
      const issued = await rotating.issue({ authorization: [] }, ASKED);
      assert.ok(issued.ok);
      kids.add(issued.value.kid);
      live.push({ svid: issued.value.svid, until: issued.value.expiresAt.getTime() });
      for (const { svid } of live.filter(({ until }) => until > now.getTime()))
        await jwtVerify(svid, keySet(known), { audience: 'a', currentDate: now });
      assert.deepEqual(
        saved.map(({ kid }) => kid),
        rotating.bundle().keys.map(({ kid }) => kid),
      );
    }
    assert.ok(kids.size >= 3, `keys: ${[...kids].join(' ')}`);
  });

  it('refuses rules that cannot work', async () => {
    await authority.close();
    await assert.rejects(here.open({ jwt: { maxTtlSeconds: 0 } }), /at least one second/);
    await assert.rejects(here.open({ jwt: { keyPeriodSeconds: 10, keyLeadSeconds: 9 } }), /twice as long/);
  });
});
