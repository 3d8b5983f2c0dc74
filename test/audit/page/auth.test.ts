import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { addGate } from '../../../audit/page/server/auth/gate.ts';
import { Oidc } from '../../../audit/page/server/auth/oidc.ts';
import { Seal } from '../../../audit/page/server/auth/sealed.ts';
import { parseTokens, type TokenTable } from '../../../audit/page/server/auth/tokens.ts';
import { sampleEdges, sampleSnapshot } from '../../browser/sample-calls.ts';
import { rolloutSource, sampleRollouts } from '../../browser/sample-rollouts.ts';
import { type Site, startSite } from '../../browser/site.ts';
import { type Provider, startProvider } from './provider.ts';

const EVERYTHING = 'everything-0123456789abcdef';
const SHOP = 'shop-only-0123456789abcdef';
const CLIENT = 'gatehouse';
const SECRET = 'hush & hush';

function table(entries: readonly object[]): TokenTable {
  const parsed = parseTokens(entries);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.reason);
  return parsed.value;
}

const ENTRIES = [
  { name: 'security', token: EVERYTHING, namespaces: ['*'] },
  { name: 'shop team', token: SHOP, namespaces: ['shop'] },
];

const ENDPOINTS = Object.freeze([
  '/api/session',
  '/api/graph',
  '/api/series',
  '/api/access',
  '/api/proxies',
  '/api/certificates',
  '/api/rollouts',
  '/api/rollout?namespace=shop',
  '/api/rollout/plan?namespace=shop',
  '/api/events',
  '/',
]);

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

describe('audit: who may see the page', () => {
  let site: Site;
  let provider: Provider;
  let tokens = table(ENTRIES);
  const sessionKey = randomBytes(32);
  const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(path, site.url), { redirect: 'manual', headers, ...init });
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const own = (): Record<string, string> => ({
    origin: new URL(site.url).origin,
    'content-type': 'application/x-www-form-urlencoded',
  });

  before(async () => {
    provider = await startProvider(CLIENT, encodeURIComponent(SECRET));
    site = await startSite({
      edges: sampleEdges(Date.now(), 10),
      snapshot: sampleSnapshot(),
      rollouts: rolloutSource(sampleRollouts(Date.now())),
      gate: (app) => {
        let oidc: Oidc | undefined;
        // The address is known once it listens; the provider is asked after.
        const settings = {
          issuer: provider.issuer,
          clientId: CLIENT,
          clientSecret: SECRET,
          claim: 'groups',
          prefix: 'gatehouse:',
          scopes: 'openid',
          get redirectUri() {
            return new URL('/auth/callback', site.url).href;
          },
        };
        oidc = new Oidc(settings, () => new Date());
        return addGate(app, {
          tokens: () => tokens,
          oidc,
          seal: new Seal(
            () => [sessionKey],
            () => new Date(),
          ),
          secure: false,
          stylesheet: '/x.css',
          complain: () => {},
        }).viewerOf;
      },
    });
  });
  after(async () => {
    await site.close();
    await provider.close();
  });

  it('answers nobody without a token or a session', async () => {
    for (const path of ENDPOINTS) {
      assert.equal((await ask(path)).status, 401, path);
      assert.equal((await ask(path, bearer('wrong-0123456789abcdef00'))).status, 401, path);
      assert.equal((await ask(path, { cookie: 'gatehouse=forged' })).status, 401, path);
      assert.equal((await ask(path, { authorization: `Basic ${btoa(`x:${EVERYTHING}`)}` })).status, 401, path);
    }
    const page = await ask('/', { accept: 'text/html' });
    assert.deepEqual([page.status, page.headers.get('location')], [303, '/login']);
    const login = await ask('/login');
    assert.equal(login.status, 200);
    assert.match(login.headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
  });

  it('shows a namespace only what touches it, at every endpoint', async () => {
    const json = async (path: string, token: string): Promise<string> => {
      const response = await ask(path, bearer(token));
      assert.equal(response.status, 200, path);
      return response.text();
    };
    assert.match(await json('/api/graph', EVERYTHING), /default\/details-v1/);
    for (const path of ['/api/graph', '/api/access', '/api/proxies', '/api/certificates'])
      assert.doesNotMatch(await json(path, SHOP), /bookinfo|details-v1|legacy|web-v1/, path);
    const graph = await json('/api/graph', SHOP);
    // The other side of a call, as far as it is in the call.
    assert.match(graph, /"workload:istio-system\/istio-ingressgateway"/);
    assert.match(graph, /"workload:shop\/users"/);
    assert.match(await json('/api/certificates', SHOP), /sa\/users/);
    const sum = (text: string): number =>
      [...text.matchAll(/"calls":(\d+)/g)].reduce((total, [, count]) => total + Number(count), 0);
    const [all, some] = [sum(await json('/api/series', EVERYTHING)), sum(await json('/api/series', SHOP))];
    assert.ok(some > 0 && some < all, `${some} of ${all}`);
    const edge = (source: string, target: string): string => `/api/edge?${new URLSearchParams({ source, target }).toString()}`;
    const others = edge('workload:default/productpage-v1', 'workload:default/details-v1');
    assert.equal((await ask(others, bearer(EVERYTHING))).status, 200);
    assert.equal((await ask(others, bearer(SHOP))).status, 404);
    const mine: unknown = JSON.parse(
      await json(edge('workload:istio-system/istio-ingressgateway', 'workload:shop/mobile'), SHOP),
    );
    assert.ok(typeof mine === 'object' && mine !== null && 'source' in mine && 'target' in mine);
    // The caller's certificate is another namespace's matter.
    assert.match(JSON.stringify(mine.source), /"certificates":null/);
    assert.match(JSON.stringify(mine), /"calledWith":null/);
    assert.match(JSON.stringify(mine.target), /"serial"/);
    assert.equal((await ask('/api/workload?id=workload:default/details-v1', bearer(SHOP))).status, 404);
    assert.equal((await ask('/api/workload?id=workload:shop/users', bearer(SHOP))).status, 200);
  });

  it("tells of the rollouts of a viewer's namespaces only", async () => {
    const names = async (token: string): Promise<readonly string[]> => {
      const list: unknown = await (await ask('/api/rollouts', bearer(token))).json();
      return [...JSON.stringify(list).matchAll(/"namespace":"([^"]+)"/g)].map(([, name]) => name ?? '');
    };
    assert.deepEqual(await names(EVERYTHING), ['default', 'payments', 'shop', 'web']);
    assert.deepEqual(await names(SHOP), ['shop']);
    for (const path of ['/api/rollout', '/api/rollout/plan']) {
      for (const namespace of ['default', 'payments', 'web', 'absent', '', '*'])
        assert.equal((await ask(`${path}?namespace=${namespace}`, bearer(SHOP))).status, 404, `${path} ${namespace}`);
      assert.equal((await ask(`${path}?namespace=shop`, bearer(SHOP))).status, 200, path);
      assert.equal(
        (await ask(`${path}?namespace=istio-system`, bearer(EVERYTHING))).status,
        404,
        `${path} of the root namespace`,
      );
      assert.equal((await ask(`${path}?namespace=default`, bearer(EVERYTHING))).status, 200, path);
    }
    // It can be looked at, and nothing more.
    for (const method of ['POST', 'PUT', 'DELETE'])
      assert.equal(
        (await ask('/api/rollout?namespace=shop', {}, { method, headers: { ...bearer(SHOP), ...own() } })).status,
        404,
      );
  });

  it('makes a session of a token, which scripts cannot read and other sites cannot use', async () => {
    const wrong = await ask('/login', own(), { method: 'POST', body: 'token=nothing-0123456789abcdef', headers: own() });
    assert.equal(wrong.status, 401);
    const signedIn = await ask(
      '/login',
      {},
      { method: 'POST', body: new URLSearchParams({ token: SHOP }).toString(), headers: own() },
    );
    assert.equal(signedIn.status, 303);
    const [cookie = ''] = signedIn.headers.getSetCookie();
    assert.match(cookie, /^gatehouse=[^;]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/);
    assert.ok(!cookie.includes(SHOP));
    const session: unknown = await (await ask('/api/session', { cookie: cookiesOf(signedIn) })).json();
    assert.ok(typeof session === 'object' && session !== null && 'namespaces' in session);
    assert.deepEqual(session.namespaces, ['shop']);
    tokens = table(ENTRIES.slice(0, 1));
    assert.equal((await ask('/api/session', { cookie: cookiesOf(signedIn) })).status, 401, 'its token was taken out');
    tokens = table(ENTRIES);
    const left = await ask('/logout', {}, { method: 'POST', headers: { ...own(), cookie: cookiesOf(signedIn) } });
    assert.match(left.headers.getSetCookie()[0] ?? '', /^gatehouse=; .*Max-Age=0/);
  });

  it('takes forms only from itself', async () => {
    const body = new URLSearchParams({ token: EVERYTHING }).toString();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const headers of [
      form,
      { ...form, origin: 'https://evil.example' },
      { ...form, origin: 'null' },
      { ...own(), 'sec-fetch-site': 'cross-site' },
    ])
      assert.equal((await ask('/login', {}, { method: 'POST', body, headers })).status, 403, JSON.stringify(headers));
  });

  it('signs people in at an OpenID Connect provider, with PKCE, state and nonce', async () => {
    provider.claims = { groups: ['gatehouse:shop', 'admins', '*'] };
    const begun = await ask('/auth/start');
    assert.equal(begun.status, 303);
    assert.match(
      begun.headers.getSetCookie()[0] ?? '',
      /^gatehouse-sign-in=[^;]+; Path=\/auth\/callback; Max-Age=600; HttpOnly; SameSite=Lax$/,
    );
    const atProvider = new URL(begun.headers.get('location') ?? '');
    assert.equal(atProvider.origin, provider.issuer);
    const back = await fetch(atProvider, { redirect: 'manual' });
    const callback = new URL(back.headers.get('location') ?? '');
    const path = `${callback.pathname}${callback.search}`;
    assert.equal((await ask(path)).status, 400, 'a sign-in that was not begun here');
    const forged = new URL(callback);
    forged.searchParams.set('state', 'other');
    assert.equal((await ask(`${forged.pathname}${forged.search}`, { cookie: cookiesOf(begun) })).status, 400);
    const done = await ask(path, { cookie: cookiesOf(begun) });
    assert.equal(done.status, 200);
    const session: unknown = await (await ask('/api/session', { cookie: cookiesOf(done) })).json();
    assert.ok(typeof session === 'object' && session !== null && 'namespaces' in session && 'name' in session);
    assert.deepEqual([session.name, session.namespaces], ['ann@shop.example', ['shop']]);
    assert.equal((await ask(path, { cookie: cookiesOf(begun) })).status, 403, 'a code counts once');
  });

  it('refuses who has no namespace, and tokens that were made for others', async () => {
    assert.equal((await ask('/api/session', bearer(await provider.sign({ groups: ['gatehouse:shop'] }, CLIENT)))).status, 200);
    for (const token of [
      await provider.sign({ groups: ['gatehouse:shop'] }, 'another'),
      await provider.sign({ groups: ['shop', '*'] }, CLIENT),
      await provider.sign({}, CLIENT),
      await provider.sign({ groups: ['gatehouse:shop'], exp: 1 }, CLIENT).then((text) => `${text.slice(0, -4)}AAAA`),
    ])
      assert.equal((await ask('/api/session', bearer(token))).status, 401);
  });

  it('refuses files of tokens that grant by mistake', () => {
    for (const [entries, reason] of [
      [[], /no list/],
      [[{ name: 'a', token: 'short', namespaces: ['shop'] }], /24 characters/],
      [[{ name: 'a', token: EVERYTHING }], /needs namespaces/],
      [[{ name: 'a', token: EVERYTHING, namespaces: ['Shop!'] }], /no name of a namespace/],
      [[{ name: 'a', token: EVERYTHING, sha256: 'x', namespaces: ['*'] }], /either token or sha256/],
      [[...ENTRIES, { name: 'b', token: SHOP, namespaces: ['*'] }], /twice/],
      [[{ name: 'a', token: EVERYTHING, namespaces: ['*'], admin: true }], /no field admin/],
    ] as const) {
      const parsed = parseTokens(entries);
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, reason);
    }
  });
});
