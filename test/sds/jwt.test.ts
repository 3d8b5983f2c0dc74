import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import type { JwtAuthority, JwtFailure } from '../../sds/jwt/authority.ts';
import { JwtBundles } from '../../sds/jwt/bundles.ts';
import { JwtCache } from '../../sds/jwt/cache.ts';
import { parseJwtKeySet } from '../../sds/jwt/key-set.ts';
import { validateToken } from '../../sds/jwt/validate.ts';
import { must } from '../ca/identity/must.ts';
import { eventually } from '../eventually.ts';
import { KeeperWorld, StillTime } from './world.ts';

const ID = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
const TD = must(parseTrustDomain('cluster.local'));
const OTHER = must(parseTrustDomain('other.example'));
const FAILED: JwtFailure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'away' };
const away = () => Promise.resolve(FAILED);

interface Keys {
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

function keys(kid: string): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'jwt-svid' } };
}

const setOf = (...found: readonly Keys[]) => JSON.stringify({ keys: found.map(({ jwk }) => jwk) });

interface Token {
  readonly alg?: string;
  readonly kid?: string | null;
  readonly typ?: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  readonly seconds?: number;
  readonly now?: number;
  readonly nbf?: number;
}

function token({ privateKey }: Keys, fields: Token = {}): Promise<string> {
  const now = Math.floor((fields.now ?? Date.now()) / 1000);
  const { kid = 'k1', typ, alg = 'ES256' } = fields;
  const jwt = new SignJWT({ own: { deep: [1, 'a', null] } })
    .setProtectedHeader({ alg, ...(kid !== null && { kid }), ...(typ !== undefined && { typ }) })
    .setSubject(fields.sub ?? ID)
    .setAudience([fields.aud ?? 'a'].flat())
    .setIssuedAt(now);
  if (fields.nbf !== undefined) jwt.setNotBefore(fields.nbf);
  if (fields.seconds !== 0) jwt.setExpirationTime(now + (fields.seconds ?? 300));
  return jwt.sign(privateKey);
}

describe('sds/jwt: validation', () => {
  const known = keys('k1');
  const stranger = keys('k1');
  const sets = new Map([[TD, must(parseJwtKeySet(setOf(known)))]]);

  it('gives subject and claims of a good token', async () => {
    for (const typ of [undefined, 'JWT', 'JOSE']) {
      const found = await validateToken(await token(known, { aud: ['b', 'a'], ...(typ && { typ }) }), 'a', sets, new Date());
      assert.ok(found.ok, JSON.stringify(found));
      assert.equal(found.id, ID);
      assert.deepEqual(found.claims['own'], { deep: [1, 'a', null] });
    }
  });

  const bad: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
    ['no token', () => 'abc', /no signed JWT/],
    ['an empty one', () => '', /no signed JWT/],
    ['a huge one', () => 'a'.repeat(20_000), /larger than/],
    ['another key', () => token(stranger), /signature does not verify/],
    ['an unknown key ID', () => token(known, { kid: 'k9' }), /has its key ID/],
    ['no key ID', () => token(known, { kid: null }), /has no key ID/],
    ['another type', () => token(known, { typ: 'at+jwt' }), /type is not JWT/],
    ['another audience', () => token(known, { aud: 'b' }), /another audience/],
    ['a spent token', () => token(known, { seconds: -10 }), /has expired/],
    ['no expiry', () => token(known, { seconds: 0 }), /has no expiry/],
    ['one not valid yet', () => token(known, { nbf: Date.now() / 1000 + 100 }), /not valid yet/],
    ['a subject that is no SPIFFE ID', () => token(known, { sub: 'cart' }), /subject is no SPIFFE ID/],
    ['an unknown trust domain', () => token(known, { sub: 'spiffe://other.example/a' }), /not trusted here/],
    ['a changed claim', async () => (await token(known)).replace(/\.(.{20}).*\./, '.$1.'), /no signed JWT|does not verify/],
    ['no signature', () => `${b64({ alg: 'none', kid: 'k1' })}.${b64({ sub: ID, aud: 'a', exp: 4e9 })}.`, /not allowed/],
    ['a symmetric one', () => `${b64({ alg: 'HS256', kid: 'k1' })}.${b64({ sub: ID, aud: 'a', exp: 4e9 })}.AAAA`, /not allowed/],
  ];
  for (const [what, make, expected] of bad) {
    it(`refuses ${what}`, async () => {
      const found = await validateToken(await make(), 'a', sets, new Date());
      assert.ok(!found.ok);
      assert.match(found.reason, expected);
    });
  }

  it('reads key sets strictly, and passes nothing private on', () => {
    const jwk = { ...known.privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'jwt-svid' };
    const read = must(parseJwtKeySet(JSON.stringify({ keys: [jwk, { kty: 'oct', k: 'AAAA', use: 'sig' }] })));
    assert.ok(!read.json.includes('"d"') && !read.json.includes('oct'));
    assert.equal(read.byKid.get('k1')?.type, 'public');
    for (const text of ['', '[]', '{}', '{"keys":{}}', setOf(known, known), '{"keys":[{"use":"jwt-svid","kid":"a"}]}'])
      assert.ok(!parseJwtKeySet(text).ok, text);
  });
});

function b64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('sds/jwt: the cache of a workload', () => {
  const known = keys('k1');

  async function cacheWorld(answer: (audience: readonly string[], now: number) => Promise<string>) {
    const keeper = await KeeperWorld.make();
    keeper.keeper.start();
    await keeper.settled(1);
    const state = { now: Date.now(), failure: undefined as JwtFailure | undefined, calls: [] as (readonly string[])[] };
    const authority: JwtAuthority = {
      bundle: away,
      async create({ audience }) {
        state.calls.push(audience);
        return state.failure ?? { kind: 'signed', svid: await answer(audience, state.now) };
      },
    };
    const cache = new JwtCache({
      id: ID,
      authority,
      svid: () => keeper.keeper.current(),
      rootsPem: () => keeper.bundle?.pem,
      now: () => state.now,
    });
    const get = async (...audience: string[]) => {
      const found = await cache.token(audience);
      return found.kind === 'token' ? found.svid : found;
    };
    return { state, get, stop: () => keeper.keeper.stop() };
  }

  it('keeps one token for each set of audiences until half of its life', async () => {
    const { state, get, stop } = await cacheWorld((audience, now) => token(known, { aud: [...audience], now }));
    const [first, same] = await Promise.all([get('a', 'b'), get('b', 'a', 'b')]);
    assert.equal(first, same);
    assert.notEqual(await get('a'), first);
    assert.equal(state.calls.length, 2);
    state.now += 140_000;
    assert.equal(await get('a', 'b'), first);
    state.now += 20_000;
    const second = await get('a', 'b');
    assert.notEqual(second, first);
    state.failure = FAILED;
    state.now += 290_000;
    assert.equal(await get('a', 'b'), second, 'the authority is away, and the token still good');
    state.now += 20_000;
    assert.deepEqual(await get('a', 'b'), FAILED);
    await stop();
  });

  for (const [what, fields] of [
    ['for another identity', { sub: 'spiffe://cluster.local/ns/shop/sa/b' }],
    ['for another audience', { aud: ['a', 'c'] }],
    ['that has expired', { seconds: -1 }],
  ] as const) {
    it(`does not take a token ${what}`, async () => {
      const { get, stop } = await cacheWorld((_, now) => token(known, { aud: 'a', now, ...fields }));
      const found = await get('a');
      assert.ok(typeof found === 'object' && found.code === 'INTERNAL');
      await stop();
    });
  }
});

describe('sds/jwt: key sets of an agent', () => {
  const [first, second, foreign] = [keys('k1'), keys('k2'), keys('f1')];

  function bundles() {
    const time = new StillTime();
    const state = {
      set: setOf(first),
      failure: undefined as JwtFailure | undefined,
      asked: 0,
      domain: 'cluster.local',
      federated: new Map<string, string>(),
    };
    const made = new JwtBundles({
      trustDomain: TD,
      authority: {
        create: away,
        bundle: () => {
          state.asked += 1;
          const answer = {
            kind: 'bundle' as const,
            trustDomain: state.domain,
            jwks: state.set,
            refreshSeconds: 300,
            federated: state.federated,
          };
          return Promise.resolve(state.failure ?? answer);
        },
      },
      rootsPem: () => 'roots',
      federated: () => new Map([[OTHER, must(parseJwtKeySet(setOf(foreign)))]]),
      clock: time,
      timers: time,
      random: () => 0,
      log: pino({ level: 'silent' }),
    });
    return { time, state, made };
  }

  it('are not asked for before somebody wants them, then again and again, and kept while the authority is away', async () => {
    const { time, state, made } = bundles();
    time.pass(3_600_000);
    assert.equal(state.asked, 0);
    assert.equal(made.current().kind, 'pending');
    made.want();
    const sets = await eventually('the sets', () => {
      const now = made.current();
      return now.kind === 'sets' ? now.sets : undefined;
    });
    assert.deepEqual([...sets.keys()], [TD, OTHER]);
    let told = 0;
    made.onChange(() => (told += 1));
    state.set = setOf(first, second);
    await eventually('a timer', () => time.next());
    time.pass(300_000);
    await eventually('news', () => (told > 0 ? true : undefined));
    state.failure = FAILED;
    await eventually('a timer', () => time.next());
    time.pass(300_000);
    await eventually('a failure', () => (state.asked === 3 ? true : undefined));
    assert.ok((await made.validate(await token(second, { kid: 'k2', now: time.now().getTime() }), 'a')).ok);
    const other = await token(foreign, { kid: 'f1', sub: 'spiffe://other.example/a', now: time.now().getTime() });
    assert.ok((await made.validate(other, 'a')).ok);
    made.close();
  });

  it('are asked for at once when a token has an unknown key, but not for each such token', async () => {
    const { time, state, made } = bundles();
    const fresh = await token(second, { kid: 'k2', now: time.now().getTime() });
    assert.ok((await made.validate(await token(first, { now: time.now().getTime() }), 'a')).ok);
    state.set = setOf(first, second);
    assert.ok(!(await made.validate(fresh, 'a')).ok);
    assert.equal(state.asked, 1);
    time.pass(2000);
    assert.ok((await made.validate(fresh, 'a')).ok);
    assert.equal(state.asked, 2);
    made.close();
  });

  it('of other trust domains come with them; what this machine says of a domain counts more', async () => {
    const { time, state, made } = bundles();
    const third = must(parseTrustDomain('third.example'));
    state.federated = new Map([
      ['third.example', setOf(second)],
      ['other.example', setOf(second)],
      ['cluster.local', setOf(foreign)],
      ['No Domain', setOf(second)],
      ['broken.example', '{'],
    ]);
    const of = (key: Keys, kid: string, domain: string) =>
      token(key, { kid, sub: `spiffe://${domain}/a`, now: time.now().getTime() });
    assert.ok((await made.validate(await of(second, 'k2', third), 'a')).ok);
    assert.ok((await made.validate(await of(foreign, 'f1', OTHER), 'a')).ok);
    assert.ok(!(await made.validate(await of(second, 'k2', OTHER), 'a')).ok);
    assert.ok(!(await made.validate(await of(foreign, 'f1', TD), 'a')).ok);
    const now = made.current();
    assert.deepEqual(now.kind === 'sets' ? [...now.sets.keys()].sort() : [], ['cluster.local', 'other.example', 'third.example']);
    made.close();
  });

  it('of another trust domain, or none at all, are not taken', async () => {
    const { state, made } = bundles();
    state.domain = 'evil.example';
    const found = await made.validate(await token(first), 'a');
    assert.ok(!found.ok && 'passing' in found);
    made.close();
    const istiod = bundles();
    istiod.state.failure = { kind: 'failed', code: 'UNIMPLEMENTED', reason: 'no JWT-SVIDs' };
    istiod.made.want();
    await eventually('unsupported', () => (istiod.made.current().kind === 'unsupported' ? true : undefined));
    istiod.made.close();
  });
});
