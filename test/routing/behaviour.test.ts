import assert from 'node:assert/strict';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';

/** A VirtualService for the host NAME.test with these http routes. */
function rule(name: string, http: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.test]
  gateways: [gateway]
  http:
${http}
---`;
}

const to = (subset: string) => `route: [{destination: {host: app, subset: ${subset}}}]`;
const matched = (match: string) => `
  - match: [{${match}}]
    ${to('v2')}
  - ${to('v1')}`;

const RULES = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: default}
spec:
  host: app
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - name: v2-guarded
    labels: {version: v2}
    trafficPolicy: {outlierDetection: {consecutive5xxErrors: 2, interval: 1m, baseEjectionTime: 5m, maxEjectionPercent: 100}}
---
${rule(
  'weights',
  `  - route:
    - {destination: {host: app, subset: v1}, weight: 80}
    - {destination: {host: app, subset: v2}, weight: 20}`,
)}
${rule(
  'uneven',
  `  - route:
    - {destination: {host: app, subset: v1}, weight: 1}
    - {destination: {host: app, subset: v2}, weight: 3}`,
)}
${rule('header', matched('headers: {end-user: {exact: tester}}'))}
${rule('cookie', matched('headers: {cookie: {regex: "^(.*?;)?(user=jason)(;.*)?$"}}'))}
${rule('present', matched('headers: {x-there: {}}'))}
${rule('without', matched('withoutHeaders: {x-there: {}}'))}
${rule('exact', matched('uri: {exact: /a}'))}
${rule('prefix', matched('uri: {prefix: /a}'))}
${rule('regex', matched('uri: {regex: "/v[0-9]+/x"}'))}
${rule('caseless', matched('uri: {prefix: /Abc}, ignoreUriCase: true'))}
${rule('method', matched('method: {exact: POST}'))}
${rule('query', matched('queryParams: {debug: {exact: "1"}}'))}
${rule('both', matched('uri: {prefix: /a}, headers: {end-user: {prefix: test}}'))}
${rule(
  'rewrite',
  `  - match: [{uri: {prefix: /myapp}}]
    rewrite: {uri: /}
    ${to('v1')}
  - match: [{uri: {prefix: /old/}}]
    rewrite: {uri: /new/, authority: inside.test}
    ${to('v1')}
  - match: [{uri: {prefix: /items}}]
    rewrite: {uriRegexRewrite: {match: "^/items/([0-9]+)", rewrite: '/item-\\1'}}
    ${to('v1')}`,
)}
${rule(
  'abort',
  `  - fault: {abort: {percentage: {value: 50}, httpStatus: 503}}
    ${to('v1')}`,
)}
${rule(
  'always',
  `  - fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    ${to('v1')}`,
)}
${rule(
  'delay',
  `  - fault: {delay: {percentage: {value: 100}, fixedDelay: 0.5s}}
    ${to('v1')}`,
)}
${rule(
  'timeout',
  `  - timeout: 0.3s
    retries: {attempts: 0}
    ${to('v1')}`,
)}
${rule(
  'retries',
  `  - retries: {attempts: 3, retryOn: 5xx}
    ${to('v1')}`,
)}
${rule('default-retries', `  - ${to('v1')}`)}
${rule(
  'redirect',
  `  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /here, authority: other.test, redirectCode: 308}
  - directResponse: {status: 418, body: {string: short and stout}}`,
)}
${rule(
  'headers',
  `  - headers:
      request: {set: {x-set: "100%%"}, add: {x-added: two}, remove: [x-secret]}
      response: {set: {x-from: gateway}}
    ${to('v1')}`,
)}
${rule(
  'cors',
  `  - corsPolicy: {allowOrigins: [{exact: "https://good.test"}], allowMethods: [GET, PUT]}
    ${to('v1')}`,
)}
${rule(
  'mirror',
  `  - mirror: {host: app, subset: v2}
    ${to('v1')}`,
)}
${rule('dangling', `  - ${to('nowhere')}`)}
${rule('unknown', '  - route: [{destination: {host: nobody, port: {number: 80}}}]')}
${rule(
  'partial',
  `  - match: [{uri: {exact: /only}}]
    ${to('v1')}`,
)}
${rule('guarded', `  - ${to('v2-guarded')}`)}
${rule(
  'first',
  `  - match: [{uri: {prefix: /a}}]
    ${to('v1')}
  - match: [{uri: {exact: /a/b}}]
    ${to('v2')}`,
)}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: default}
spec: {hosts: [app], gateways: [gateway], http: [{${to('v2')}}]}
`;

/** Weights are drawn at random: 5 standard deviations either side fail about once in two million runs. */
function near(count: number, of: number, share: number): void {
  const tolerance = 5 * Math.sqrt(of * share * (1 - share));
  assert.ok(Math.abs(count - of * share) <= tolerance, `${count} of ${of}, but ${of * share} (+- ${tolerance}) expected`);
}

describe('routing in the real Envoy', function () {
  this.timeout(60_000);
  let mesh: GatewayMesh | undefined;
  const get: GatewayMesh['get'] = (...how) => {
    assert.ok(mesh !== undefined);
    return mesh.get(...how);
  };
  const serverOf = async (...how: Parameters<GatewayMesh['get']>) => (await get(...how)).server;

  before(async function () {
    const envoy = envoyOrSkip(this);
    mesh = await startGatewayMesh(envoy, RULES);
  });

  after(() => mesh?.close());

  async function share(host: string, requests: number): Promise<number> {
    let second = 0;
    for (let n = 0; n < requests; n++) if ((await serverOf(host, '/')) === 'v2') second += 1;
    return second;
  }

  it('splits by weight', async () => near(await share('weights.test', 800), 800, 0.2));
  it('splits by weights that do not add up to 100', async () => near(await share('uneven.test', 800), 800, 0.75));

  const matches: readonly (readonly [string, string, string, Parameters<GatewayMesh['get']>[2], string])[] = [
    ['an exact header', 'header.test', '/', { headers: { 'end-user': 'tester' } }, 'v2'],
    ['another value of an exact header', 'header.test', '/', { headers: { 'end-user': 'tester2' } }, 'v1'],
    ['a cookie among others', 'cookie.test', '/', { headers: { cookie: 'a=b;user=jason;c=d' } }, 'v2'],
    ['a cookie of another user', 'cookie.test', '/', { headers: { cookie: 'user=jasons' } }, 'v1'],
    ['a header that is there', 'present.test', '/', { headers: { 'x-there': 'any' } }, 'v2'],
    ['a header that is not there', 'present.test', '/', {}, 'v1'],
    ['the absence of a header', 'without.test', '/', {}, 'v2'],
    ['no absence of a header', 'without.test', '/', { headers: { 'x-there': 'any' } }, 'v1'],
    ['an exact path, without its query', 'exact.test', '/a?x=y', {}, 'v2'],
    ['more than an exact path', 'exact.test', '/a/', {}, 'v1'],
    ['a prefix', 'prefix.test', '/abc', {}, 'v2'],
    ['a regex', 'regex.test', '/v12/x', {}, 'v2'],
    ['only a part of a regex', 'regex.test', '/v12/xy', {}, 'v1'],
    ['a prefix in any case', 'caseless.test', '/aBCd', {}, 'v2'],
    ['a prefix in another case', 'prefix.test', '/Abc', {}, 'v1'],
    ['a method', 'method.test', '/', { method: 'POST' }, 'v2'],
    ['another method', 'method.test', '/', { method: 'PUT' }, 'v1'],
    ['a query parameter', 'query.test', '/?a=b&debug=1', {}, 'v2'],
    ['another value of a query parameter', 'query.test', '/?debug=11', {}, 'v1'],
    ['both of two conditions', 'both.test', '/a', { headers: { 'end-user': 'tester' } }, 'v2'],
    ['one of two conditions', 'both.test', '/a', {}, 'v1'],
    ['the first route that matches, not the closest', 'first.test', '/a/b', {}, 'v1'],
    ['a Service by its short name', 'app', '/', {}, 'v2'],
    ['a Service by its full name and a port', 'app.default.svc.cluster.local:80', '/', {}, 'v2'],
  ];
  for (const [what, host, path, how, expected] of matches) {
    it(`matches ${what}`, async () => assert.equal(await serverOf(host, path, how), expected));
  }

  it('rewrites a prefix without doubling slashes', async () => {
    for (const [path, seen] of [
      ['/myapp', '/'],
      ['/myapp/', '/'],
      ['/myapp/x?q=1', '/x?q=1'],
      ['/old/x', '/new/x'],
      ['/items/12/y', '/item-12/y'],
    ] as const) {
      assert.equal((await get('rewrite.test', path)).path, seen, path);
    }
    assert.equal((await get('rewrite.test', '/old/x')).seen.host, 'inside.test');
  });

  it('aborts the share that is asked for', async () => {
    let aborted = 0;
    for (let n = 0; n < 400; n++) if ((await get('abort.test', '/')).status === 503) aborted += 1;
    near(aborted, 400, 0.5);
    const { status, server } = await get('always.test', '/');
    assert.deepEqual({ status, server }, { status: 418, server: undefined });
  });

  it('delays', async () => {
    const began = performance.now();
    assert.equal(await serverOf('delay.test', '/'), 'v1');
    assert.ok(performance.now() - began >= 450);
  });

  it('gives up after the timeout', async () => {
    const began = performance.now();
    assert.equal((await get('timeout.test', '/slow')).status, 504);
    assert.ok(performance.now() - began < 1_900);
  });

  it('retries what it is asked to, and by default no answer of the application', async () => {
    const seen = (path: string) => mesh?.v1.seen.filter((one) => one.path === path).length;
    assert.equal((await get('retries.test', '/retries', { headers: { 'x-answer': 'fail-2' } })).status, 200);
    assert.equal(seen('/retries'), 3);
    assert.equal((await get('default-retries.test', '/default', { headers: { 'x-answer': '503' } })).status, 503);
    assert.equal(seen('/default'), 1);
  });

  it('redirects and answers by itself', async () => {
    const moved = await get('redirect.test', '/moved/x');
    assert.deepEqual([moved.status, moved.headers.location], [308, 'http://other.test/here']);
    const teapot = await get('redirect.test', '/');
    assert.deepEqual([teapot.status, teapot.body], [418, 'short and stout']);
  });

  it('edits headers', async () => {
    const { seen, headers } = await get('headers.test', '/', { headers: { 'x-secret': 's', 'x-added': 'one', 'x-set': 'old' } });
    assert.equal(seen['x-set'], '100%');
    assert.equal(seen['x-added'], 'one, two');
    assert.equal(seen['x-secret'], undefined);
    assert.equal(headers['x-from'], 'gateway');
  });

  it('answers CORS preflights', async () => {
    const preflight = (origin: string) =>
      get('cors.test', '/', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } });
    const good = await preflight('https://good.test');
    assert.deepEqual(
      [good.status, good.headers['access-control-allow-origin'], good.server],
      [200, 'https://good.test', undefined],
    );
    assert.equal((await preflight('https://bad.test')).headers['access-control-allow-origin'], undefined);
  });

  it('mirrors', async () => {
    assert.equal(await serverOf('mirror.test', '/mirrored'), 'v1');
    await eventually('the mirror has it', () => Promise.resolve(mesh?.v2.seen.find((one) => one.path === '/mirrored')));
  });

  it('answers 503 for a subset or a host that is not there, 404 where nothing matches', async () => {
    assert.equal((await get('dangling.test', '/')).status, 503);
    assert.equal((await get('unknown.test', '/')).status, 503);
    assert.equal((await get('partial.test', '/other')).status, 404);
    assert.equal((await get('nobody.test', '/')).status, 404);
  });

  it('ejects an endpoint after its errors', async () => {
    // Ejection is decided beside the request that causes it, so the next one may still come through.
    const bodies: string[] = [];
    for (let n = 0; n < 6; n++) bodies.push((await get('guarded.test', '/guarded', { headers: { 'x-answer': '503' } })).body);
    const arrived = mesh?.v2.seen.filter((one) => one.path === '/guarded').length ?? 0;
    assert.ok(arrived === 2 || arrived === 3, `${arrived} requests arrived`);
    assert.deepEqual(bodies.slice(arrived), Array(6 - arrived).fill('no healthy upstream'));
  });

  it('does not let clients speak for their address or certificate', async () => {
    const { seen } = await get('default-retries.test', '/', {
      headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/a/sa/b', 'x-envoy-external-address': '1.2.3.4' },
    });
    assert.equal(seen['x-forwarded-client-cert'], undefined);
    assert.notEqual(seen['x-envoy-external-address'], '1.2.3.4');
  });
});
