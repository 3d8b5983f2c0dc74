import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { eventually } from '../../eventually.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { type Outcome, send } from '../envoy/caller.ts';
import type { RunningTarget } from '../envoy/target.ts';
import { startPoliced, webOn } from './policed.ts';
import { type TokenIssuer, tokenIssuer } from './tokens.ts';

// Addresses of this process alone, since Envoy must bind the ports that policies name.
const NET = `127.${130 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.250`;
const PORT = 18080;

type Headers = Readonly<Record<string, string>>;

function authentication(name: string, jwtRules: readonly object[], selector: object = { matchLabels: { app: 'web' } }): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name, namespace: 'shop' },
    spec: { selector, jwtRules },
  };
}

function allow(name: string, rules: readonly object[]): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'web' } }, rules },
  };
}

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('RequestAuthentication in the real Envoy', function () {
  this.timeout(60_000);
  let envoy = '';
  let folder = '';
  let authority: TestAuthority;
  let stopApplication: (() => Promise<void>) | undefined;
  let a: TokenIssuer;
  let b: TokenIssuer;
  let count = 0;
  const running: RunningTarget[] = [];

  before(async function () {
    envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-tokens-'));
    authority = await TestAuthority.create();
    a = await tokenIssuer('https://a.test');
    b = await tokenIssuer('https://b.test', 'b', 'RS256');
    stopApplication = await startApplication(APPLICATION, [{ port: PORT, protocol: 'HTTP' }]);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
  });
  after(async () => {
    await stopApplication?.();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  /** A proxy under these objects, and how it answers. */
  async function under(
    ...objects: readonly object[]
  ): Promise<(headers: Headers, path?: string, method?: string) => Promise<Outcome>> {
    count += 1;
    const address = `${NET}.${count}`;
    const target = webOn(PORT);
    running.push(await startPoliced({ envoy, folder, target, address, application: APPLICATION, authority, objects }));
    const once = (headers: Headers, path: string, method: string): Promise<Outcome> =>
      send({
        to: { host: address, port: PORT },
        shown: 'plain',
        protocol: 'HTTP',
        method,
        path,
        headers: { host: 'web', ...headers },
      });
    // Twice, since a token that was verified once is remembered.
    return async (headers, path = '/', method = 'GET') => {
      const first = await once(headers, path, method);
      const second = await once(headers, path, method);
      const told = ({ reached, status, seen }: Outcome): unknown => ({
        reached,
        status,
        ...(seen && { path: seen.path, headers: { ...seen.headers, 'x-request-id': '' } }),
      });
      assert.deepEqual(told(second), told(first));
      return second;
    };
  }

  const status = async (outcome: Promise<Outcome>): Promise<number | undefined> => (await outcome).status;

  it('lets requests without a token pass, and refuses every bad one', async () => {
    const ask = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks }]));
    const now = Math.floor(Date.now() / 1000);
    const good = await a.sign({});
    const [head = '', payload = '', signature = ''] = good.split('.');
    assert.equal(await status(ask({})), 200);
    assert.equal(await status(ask(bearer(good))), 200);
    assert.equal(await status(ask(bearer(await a.sign({ exp: now - 30 })))), 200, 'clocks may differ by a minute');
    const bad: Readonly<Record<string, string>> = {
      expired: await a.sign({ exp: now - 120 }),
      'not valid yet': await a.sign({ nbf: now + 120 }),
      'another issuer': await a.sign({ iss: 'https://c.test' }),
      'another issuer, well signed': await b.sign({}),
      "another's signature": await b.sign({ iss: a.issuer }, { kid: 'one' }),
      'a changed payload': `${head}.${encoded({ iss: a.issuer, sub: 'root', exp: now + 3600 })}.${signature}`,
      'no signature': `${head}.${payload}.`,
      'alg none': `${encoded({ alg: 'none' })}.${payload}.`,
      'HMAC with the public key': (() => {
        const text = `${encoded({ alg: 'HS256', kid: 'one' })}.${payload}`;
        return `${text}.${createHmac('sha256', JSON.stringify(a.publicKey)).update(text).digest('base64url')}`;
      })(),
      'an unknown key': await a.sign({}, { kid: 'two' }),
      'no token at all': 'abc',
    };
    for (const [what, token] of Object.entries(bad)) {
      const outcome = await ask(bearer(token));
      assert.equal(outcome.status, 401, what);
      assert.equal(outcome.reached, false, what);
    }
    assert.equal(await status(ask({ authorization: 'Basic YWxpY2U6c2VjcmV0' })), 200, 'other schemes are no tokens');
  });

  it('forgets a token that it remembered when its time is over', async () => {
    const ask = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks }]));
    // The minute by which clocks may differ is nearly over.
    const token = await a.sign({ exp: Math.floor(Date.now() / 1000) - 57 });
    assert.equal(await status(ask(bearer(token))), 200);
    await eventually('the token is refused', async () => {
      // Its time may be over between the two calls that are compared.
      const outcome = await ask(bearer(token)).catch(() => undefined);
      return outcome?.status === 401 ? true : undefined;
    });
  });

  it('wants an audience that the rule names', async () => {
    const ask = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks, audiences: ['shop', 'https://shop.test/'] }]));
    assert.equal(await status(ask(bearer(await a.sign({ aud: 'shop' })))), 200);
    assert.equal(await status(ask(bearer(await a.sign({ aud: ['other', 'shop'] })))), 200);
    assert.equal(await status(ask(bearer(await a.sign({ aud: 'shop.test' })))), 200, 'scheme and slash do not count');
    assert.equal(await status(ask(bearer(await a.sign({ aud: 'other' })))), 403);
    assert.equal(await status(ask(bearer(await a.sign({})))), 403);
    assert.equal(await status(ask({})), 200);
  });

  it('takes the token out of the request unless it is to be forwarded', async () => {
    const token = await a.sign({});
    const stripped = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks }]));
    const outcome = await stripped(bearer(token));
    assert.equal(outcome.seen?.headers['authorization'], undefined);
    assert.equal((await stripped({}, `/path?access_token=${token}&x=1`)).seen?.path, '/path?x=1');
    const forwarded = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks, forwardOriginalToken: true }]));
    assert.equal((await forwarded(bearer(token))).seen?.headers['authorization'], `Bearer ${token}`);
  });

  it('looks where the rule says, and only there', async () => {
    const ask = await under(
      authentication('a', [
        {
          issuer: a.issuer,
          jwks: a.jwks,
          fromHeaders: [{ name: 'x-token', prefix: 'Value ' }, { name: 'X-Plain' }],
          fromParams: ['token'],
          fromCookies: ['session'],
        },
      ]),
      allow('with-token', [{ from: [{ source: { requestPrincipals: ['*'] } }] }]),
    );
    const token = await a.sign({});
    const old = await a.sign({ exp: 1 });
    assert.equal(await status(ask({ 'x-token': `Value ${token}` })), 200);
    assert.equal(await status(ask({ 'x-plain': token })), 200);
    assert.equal(await status(ask({}, `/?token=${token}`)), 200);
    assert.equal(await status(ask({ cookie: `a=b; session=${token}` })), 200);
    assert.equal(await status(ask(bearer(token))), 403, 'no token where it looks');
    assert.equal(await status(ask(bearer('rubbish'))), 403);
    assert.equal(await status(ask({}, `/?access_token=${token}`)), 403);
    assert.equal(await status(ask({ 'x-plain': token, 'x-token': `Value ${old}` })), 401, 'every token must be good');
    assert.equal(await status(ask({ 'x-plain': token }, `/?token=${old}`)), 401);
    assert.equal(await status(ask({ 'x-plain': token }, `/?token=${token}`)), 200);
  });

  it('takes tokens of several issuers, from one object or from several', async () => {
    const ask = await under(
      authentication('a', [{ issuer: a.issuer, jwks: a.jwks, audiences: ['shop'] }]),
      authentication('b', [{ issuer: b.issuer, jwks: b.jwks }]),
      allow('who', [
        { from: [{ source: { requestPrincipals: ['https://a.test/alice'] } }], to: [{ operation: { paths: ['/a'] } }] },
        { from: [{ source: { requestPrincipals: ['https://b.test/*'] } }], to: [{ operation: { paths: ['/b'] } }] },
        { to: [{ operation: { paths: ['/open'] } }] },
      ]),
    );
    const [ofA, ofB] = [await a.sign({ aud: 'shop' }), await b.sign({})];
    assert.equal(await status(ask(bearer(ofA), '/a')), 200);
    assert.equal(await status(ask(bearer(ofB), '/b')), 200);
    assert.equal(await status(ask(bearer(ofA), '/b')), 403);
    assert.equal(await status(ask(bearer(ofB), '/a')), 403);
    assert.equal(await status(ask({}, '/a')), 403);
    assert.equal(await status(ask({}, '/open')), 200);
    assert.equal(await status(ask(bearer(await a.sign({})), '/open')), 403, 'the audience is missing');
    assert.equal(await status(ask(bearer(await a.sign({ iss: 'https://c.test' })), '/open')), 401);
    assert.equal(await status(ask(bearer(await b.sign({ iss: a.issuer, aud: 'shop' })), '/open')), 401);
  });

  it('asks for a token where presence is REQUIRED, whatever other tokens there are', async () => {
    const ask = await under(
      authentication('both', [
        { issuer: a.issuer, jwks: a.jwks, presence: 'REQUIRED' },
        { issuer: b.issuer, jwks: b.jwks, fromHeaders: [{ name: 'x-b' }] },
      ]),
    );
    const [ofA, ofB] = [await a.sign({}), await b.sign({})];
    assert.equal(await status(ask({})), 401);
    assert.equal(await status(ask(bearer(ofA))), 200);
    assert.equal(await status(ask({ 'x-b': ofB })), 401);
    assert.equal(await status(ask({ ...bearer(ofA), 'x-b': ofB })), 200);
    assert.equal(await status(ask(bearer(await a.sign({ exp: 1 })))), 401);
    const two = await under(
      authentication('two', [
        { issuer: a.issuer, jwks: a.jwks, presence: 'REQUIRED' },
        { issuer: b.issuer, jwks: b.jwks, fromHeaders: [{ name: 'x-b' }], presence: 'REQUIRED' },
      ]),
    );
    assert.equal(await status(two(bearer(ofA))), 401);
    assert.equal(await status(two({ 'x-b': ofB })), 401);
    assert.equal(await status(two({ ...bearer(ofA), 'x-b': ofB })), 200);
  });

  it('tells the application what a token says, and lets nobody else tell it', async () => {
    const output = {
      outputPayloadToHeader: 'x-payload',
      outputClaimToHeaders: [
        { header: 'x-sub', claim: 'sub' },
        { header: 'X-Team', claim: 'org.team' },
        { header: 'x-level', claim: 'level' },
      ],
    };
    const ask = await under(
      authentication('a', [{ issuer: a.issuer, jwks: a.jwks, ...output }]),
      authentication('b', [{ issuer: b.issuer, jwks: b.jwks, outputClaimToHeaders: [{ header: 'x-b-sub', claim: 'sub' }] }]),
    );
    const token = await a.sign({ org: { team: 'blue' }, level: 3 });
    const forged = {
      'x-payload': 'root',
      'x-sub': 'root',
      'x-team': 'root',
      'x-level': '9',
      'x-b-sub': 'root',
      'x-other': 'kept',
    };
    const seen = (await ask({ ...forged, ...bearer(token) })).seen?.headers ?? {};
    assert.equal(seen['x-sub'], 'alice');
    assert.equal(seen['x-team'], 'blue');
    assert.equal(seen['x-level'], '3');
    assert.equal(seen['x-payload'], token.split('.')[1]);
    assert.equal(seen['x-b-sub'], undefined, "what the other issuer's rule writes");
    assert.equal(seen['x-other'], 'kept');
    const withoutClaims = (await ask({ ...forged, ...bearer(await a.sign({ sub: 'bob' })) })).seen?.headers ?? {};
    assert.equal(withoutClaims['x-sub'], 'bob');
    assert.equal(withoutClaims['x-team'], undefined);
    const preflight = { origin: 'https://x.test', 'access-control-request-method': 'GET' };
    for (const [what, headers, method] of [
      ['without a token', forged, 'GET'],
      ['of the other issuer', { ...forged, ...bearer(await b.sign({})) }, 'GET'],
      ['in a preflight', { ...forged, ...preflight }, 'OPTIONS'],
    ] as const) {
      const outcome = await ask(headers, '/', method);
      assert.equal(outcome.status, 200, what);
      for (const name of ['x-payload', 'x-sub', 'x-team', 'x-level'])
        assert.equal(outcome.seen?.headers[name], undefined, `${name} ${what}`);
    }
  });

  it('lets a preflight pass, and nothing that only resembles one', async () => {
    const ask = await under(authentication('a', [{ issuer: a.issuer, jwks: a.jwks, presence: 'REQUIRED' }]));
    const origin = { origin: 'https://x.test' };
    const wanted = { 'access-control-request-method': 'GET' };
    assert.equal(await status(ask({ ...origin, ...wanted }, '/', 'OPTIONS')), 200);
    assert.equal(await status(ask(origin, '/', 'OPTIONS')), 401);
    assert.equal(await status(ask(wanted, '/', 'OPTIONS')), 401);
    assert.equal(await status(ask({ ...origin, ...wanted }, '/', 'GET')), 401);
    assert.equal(await status(ask({}, '/', 'OPTIONS')), 401);
  });

  it('refuses tokens of an issuer whose keys are not known, and lets everything else go on', async () => {
    const ask = await under(
      authentication('a', [
        { issuer: a.issuer, jwksUri: 'http://keys.test/jwks' },
        { issuer: b.issuer, jwks: b.jwks },
      ]),
    );
    assert.equal(await status(ask(bearer(await a.sign({})))), 401);
    assert.equal(await status(ask(bearer(await b.sign({})))), 200);
    assert.equal(await status(ask({})), 200);
  });

  it('goes on with the good keys of a set that holds bad ones', async () => {
    const bad: readonly object[] = [
      { kty: 'RSA', kid: 'no-modulus' },
      { kty: 'RSA', kid: 'short', n: 'abc', e: 'AQAB' },
      { kty: 'RSA', kid: 7, n: '***', e: 'AQAB' },
      { kty: 'EC', kid: 'no-curve', crv: 'P-1', x: 'AA', y: 'AA' },
      { kty: 'EC', kid: 'off-curve', crv: 'P-256', x: 'AAAA', y: 'AAAA' },
      { kty: 'OKP', kid: 'x', crv: 'X25519', x: 'AA' },
      { kty: 'oct', kid: 'o', alg: 'HS256', k: '***' },
      { kty: 'AKP', kid: 'new', alg: 'ML-DSA-44', pub: 'AA' },
      { kid: 'typeless' },
    ];
    const mixed = JSON.stringify({ keys: [...bad, a.publicKey, ...bad] });
    const ask = await under(
      authentication('a', [
        { issuer: a.issuer, jwks: mixed },
        { issuer: b.issuer, jwks: JSON.stringify({ keys: bad }), fromHeaders: [{ name: 'x-b' }] },
      ]),
    );
    assert.equal(await status(ask(bearer(await a.sign({})))), 200);
    assert.equal(await status(ask(bearer(await a.sign({}, {})))), 200, 'a token that names no key');
    assert.equal(await status(ask({ 'x-b': await b.sign({}) })), 401);
  });

  for (const alg of ['RS256', 'EdDSA'] as const) {
    it(`verifies ${alg}`, async () => {
      const c = await tokenIssuer('https://c.test', 'c', alg);
      const ask = await under(authentication('c', [{ issuer: c.issuer, jwks: c.jwks }]));
      assert.equal(await status(ask(bearer(await c.sign({})))), 200);
      assert.equal(await status(ask(bearer(await a.sign({ iss: c.issuer })))), 401);
    });
  }

  it('gives policies claims: texts, lists, words, nested, each issuer by its own rule', async () => {
    const key = (name: string, values: readonly string[]): object => ({ when: [{ key: `request.auth.claims${name}`, values }] });
    const on = (path: string, rule: object): object => ({ ...rule, to: [{ operation: { paths: [path] } }] });
    const ask = await under(
      authentication('both', [
        { issuer: a.issuer, jwks: a.jwks, spaceDelimitedClaims: ['roles'] },
        { issuer: b.issuer, jwks: b.jwks },
      ]),
      allow('by-claim', [
        on('/group', key('[group]', ['admin'])),
        on('/scope', key('[scope]', ['write'])),
        on('/roles', key('[roles]', ['boss'])),
        on('/whole', key('[roles]', ['boss staff'])),
        on('/nested', key('[org][team]', ['blue'])),
        on('/url', key('[https://x.test/tier]', ['gold'])),
        on('/prefix', key('[group]', ['adm*'])),
        on('/presenter', { when: [{ key: 'request.auth.presenter', values: ['app-1'] }] }),
      ]),
    );
    const can = async (issuer: TokenIssuer, claims: object, path: string): Promise<boolean> =>
      (await ask(bearer(await issuer.sign({ ...claims })), path)).status === 200;
    assert.ok(await can(a, { group: 'admin' }, '/group'));
    assert.ok(await can(a, { group: ['x', 'admin'] }, '/group'));
    assert.ok(!(await can(a, { group: 'admin x' }, '/group')));
    assert.ok(!(await can(a, { group: { admin: true } }, '/group')));
    assert.ok(await can(a, { group: 'administrator' }, '/prefix'));
    assert.ok(await can(a, { scope: 'read write' }, '/scope'));
    assert.ok(await can(b, { scope: 'read write' }, '/scope'));
    assert.ok(await can(b, { scope: ['read', 'write'] }, '/scope'));
    assert.ok(await can(a, { roles: 'boss staff' }, '/roles'));
    assert.ok(!(await can(b, { roles: 'boss staff' }, '/roles')));
    assert.ok(!(await can(a, { roles: 'boss staff' }, '/whole')));
    assert.ok(await can(b, { roles: 'boss staff' }, '/whole'));
    assert.ok(await can(a, { org: { team: 'blue' } }, '/nested'));
    assert.ok(await can(a, { org: { team: ['red', 'blue'] } }, '/nested'));
    assert.ok(!(await can(a, { org: [{ team: 'blue' }] }, '/nested')));
    assert.ok(await can(a, { 'https://x.test/tier': 'gold' }, '/url'));
    assert.ok(await can(a, { azp: 'app-1' }, '/presenter'));
    assert.ok(!(await can(a, { azp: ['app-1'] }, '/presenter')));
  });
});
