// Bookinfo's networking walk-through, task by task, on a running mesh: the product page calls details and reviews, reviews v2
// and v3 call ratings, and the rules are in force at the callers' proxies.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModesAndScoped } from './capture-modes.ts';
import { field, send, share, type Load } from './load.ts';
import { type Reply, get, RunningMesh, samples } from './running-mesh.ts';

const PRODUCT = '/api/v1/products/0';
const JASON = { 'end-user': 'jason' };

const show = (what: string, seen: unknown): void => {
  if (process.env['SHOW'] !== undefined) console.log(`      ${what}: ${JSON.stringify(seen)}`);
};

/** The version of reviews that served the page, and what it had from ratings: 0 when it asked nobody. */
function served(reply: Reply): string | undefined {
  if (reply.status !== 200) return undefined;
  const status = field(reply.body, 'upstream', 'reviews', 'status');
  if (status !== 200) return `reviews ${String(status)}`;
  const version = String(field(reply.body, 'upstream', 'reviews', 'body', 'version'));
  const ratings = field(reply.body, 'upstream', 'reviews', 'body', 'upstream', 'ratings', 'status');
  return ratings === undefined ? version : `${version}, ratings ${JSON.stringify(ratings)}`;
}

const virtualService = (name: string, http: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}]
  http:
${http}
---
`;
const to = (host: string, subset: string, weight?: number): string =>
  `{destination: {host: ${host}, subset: ${subset}}${weight === undefined ? '' : `, weight: ${weight}`}}`;
const all = (name: string, subset = 'v1'): string => virtualService(name, `  - route: [${to(name, subset)}]`);
const REVIEWS_JASON = virtualService(
  'reviews',
  `  - match: [{headers: {end-user: {exact: jason}}}]
    route: [${to('reviews', 'v2')}]
  - route: [${to('reviews', 'v1')}]`,
);
const ratingsFault = (fault: string): string =>
  virtualService(
    'ratings',
    `  - match: [{headers: {end-user: {exact: jason}}}]
    fault: ${fault}
    route: [${to('ratings', 'v1')}]
  - route: [${to('ratings', 'v1')}]`,
  );

inBothCaptureModesAndScoped("bookinfo's networking walk-through", (capture, flags) => {
  let mesh: RunningMesh;

  before('start bookinfo', async () => {
    mesh = await RunningMesh.start([join(samples, 'bookinfo'), join(samples, 'bookinfo-rules', 'subsets.yaml')], capture, flags);
  });
  after(() => mesh?.stop());

  const product = (headers: Record<string, string> = {}, more: Partial<Load> = {}): Load => ({
    address: mesh.gateway,
    path: PRODUCT,
    headers,
    name: served,
    ...more,
  });
  const tally = async (load: Load, requests: number): Promise<Readonly<Record<string, number>>> => {
    const { counts, failures } = await send(load, requests);
    assert.deepEqual(failures.slice(0, 3), [], mesh.log());
    return Object.fromEntries([...counts].sort());
  };
  /** Requests that a workload's own application has answered, by its proxy's count. */
  const answered = async (workload: string): Promise<number> => {
    const text = await mesh.admin(`default/${workload}`, '/stats?filter=^cluster.inbound.9080[|]*.upstream_rq_completed$');
    return text.split('\n').reduce((sum, line) => sum + Number(/: (\d+)$/.exec(line)?.[1] ?? 0), 0);
  };
  const timed = async (headers: Record<string, string>): Promise<{ readonly was: string | undefined; readonly ms: number }> => {
    const start = performance.now();
    const reply = await get(mesh.gateway, PRODUCT, headers);
    return { was: served(reply), ms: Math.round(performance.now() - start) };
  };

  it('the page, by all versions in turn, and through signing in', async () => {
    const page = await get(mesh.gateway, '/productpage');
    assert.equal(page.status, 200);
    assert.match(page.body, /William Shakespeare/);
    const seen = await tally(product(), 60);
    show('no rules', seen);
    assert.deepEqual(Object.keys(seen), ['v1', 'v2, ratings 200', 'v3, ratings 200']);
    const [cookie = ''] = (await get(mesh.gateway, '/login?username=jason')).headers['set-cookie'] ?? [];
    assert.match((await get(mesh.gateway, '/productpage', { cookie: cookie.split(';')[0] ?? '' })).body, /Signed in as jason/);
  });

  it('request routing: everyone to v1, then Jason to v2', async () => {
    const before = await answered('ratings-v1');
    await mesh.apply(all('productpage') + all('details') + all('ratings') + all('reviews'));
    assert.deepEqual(await tally(product(), 100), { v1: 100 });
    assert.deepEqual(await tally(product(JASON), 100), { v1: 100 });
    assert.equal(await answered('ratings-v1'), before, 'v1 asks nobody for ratings');
    await mesh.apply(all('productpage') + all('details') + all('ratings') + REVIEWS_JASON);
    assert.deepEqual(await tally(product(JASON), 100), { 'v2, ratings 200': 100 });
    assert.deepEqual(await tally(product({ 'end-user': 'jill' }), 100), { v1: 100 });
    assert.equal((await answered('ratings-v1')) - before, 100);
  });

  it("fault injection: Jason's ratings are late, or fail; nobody else's", async () => {
    await mesh.apply(ratingsFault('{delay: {fixedDelay: 1s, percentage: {value: 100}}}') + REVIEWS_JASON);
    const late = await timed(JASON);
    const other = await timed({});
    assert.equal(late.was, 'v2, ratings 200');
    assert.ok(late.ms >= 990, `${late.ms} ms`);
    assert.equal(other.was, 'v1');

    const before = await answered('ratings-v1');
    await mesh.apply(ratingsFault('{abort: {httpStatus: 500, percentage: {value: 100}}}') + REVIEWS_JASON);
    const seen = await tally(product(JASON), 100);
    assert.deepEqual(seen, { 'v2, ratings 500': 100 });
    assert.equal(await answered('ratings-v1'), before, 'the server was reached through an abort');
    assert.match((await get(mesh.gateway, '/productpage', JASON)).body, /Reviews served by: [^ ]+ \(v2\)/);
    show('faults', { late, other, aborted: seen });
  });

  it('traffic shifting: from v1 to v3 by halves, then wholly', async () => {
    const half = virtualService('reviews', `  - route: [${to('reviews', 'v1', 50)}, ${to('reviews', 'v3', 50)}]`);
    await mesh.apply(all('ratings') + half);
    const before = { v1: await answered('reviews-v1'), v3: await answered('reviews-v3') };
    // Over 1,000 a half strays by 6 points in one run of 7,000.
    const load = await send(product({}, { concurrency: 8 }), 1_000);
    assert.deepEqual(load.failures.slice(0, 3), [], mesh.log());
    const got = { v1: (await answered('reviews-v1')) - before.v1, v3: (await answered('reviews-v3')) - before.v3 };
    show('50/50', got);
    assert.deepEqual(got, { v1: load.counts.get('v1'), v3: load.counts.get('v3, ratings 200') });
    assert.ok(Math.abs(share(load, 'v1') - 50) <= 6, JSON.stringify(got));
    await mesh.apply(all('ratings') + all('reviews', 'v3'));
    assert.deepEqual(await tally(product(), 100), { 'v3, ratings 200': 100 });
  });

  it('request timeouts: the page does not wait for reviews that wait for ratings', async () => {
    const slow = virtualService(
      'ratings',
      `  - fault: {delay: {fixedDelay: 4s, percentage: {value: 100}}}\n    route: [${to('ratings', 'v1')}]`,
    );
    const impatient = virtualService('reviews', `  - route: [${to('reviews', 'v2')}]\n    timeout: 0.5s`);
    await mesh.apply(slow + impatient);
    const seen = await timed({});
    show('timeout', seen);
    assert.equal(seen.was, 'reviews 504');
    assert.ok(seen.ms >= 490 && seen.ms < 3_500, `${seen.ms} ms`);
  });

  it('circuit breaking: reviews that are busy are not asked', async () => {
    const slow = virtualService(
      'ratings',
      `  - fault: {delay: {fixedDelay: 0.5s, percentage: {value: 100}}}\n    route: [{destination: {host: ratings}}]`,
    );
    const breaker = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}}
  subsets: [{name: v2, labels: {version: v2}}]
---
`;
    // Instead of the rule that is there.
    await mesh.change(() => mesh.move('subsets.yaml', '.subsets'));
    await mesh.apply(slow + all('reviews', 'v2') + breaker);
    const before = await answered('reviews-v2');
    const load = await send(product({}, { concurrency: 8 }), 24);
    assert.deepEqual(load.failures.slice(0, 3), [], mesh.log());
    const reached = (await answered('reviews-v2')) - before;
    show('circuit breaking', { ...Object.fromEntries(load.counts), reached });
    assert.ok((load.counts.get('reviews 503') ?? 0) >= 6, JSON.stringify([...load.counts]));
    assert.equal(reached, load.counts.get('v2, ratings 200'));
    await mesh.remove('rules.yaml');
    await mesh.change(() => mesh.move('.subsets', 'subsets.yaml'));
  });

  it('mirroring: reviews v1 answers, v3 is sent the same', async () => {
    await mesh.apply(virtualService('reviews', `  - route: [${to('reviews', 'v1')}]\n    mirror: {host: reviews, subset: v3}`));
    const before = { v1: await answered('reviews-v1'), v3: await answered('reviews-v3') };
    assert.deepEqual(await tally(product(), 200), { v1: 200 });
    const got = await eventually('the mirrored requests', async () => {
      const now = { v1: (await answered('reviews-v1')) - before.v1, v3: (await answered('reviews-v3')) - before.v3 };
      return now.v3 >= 200 ? now : undefined;
    });
    show('mirroring', got);
    assert.deepEqual(got, { v1: 200, v3: 200 });
  });
});
