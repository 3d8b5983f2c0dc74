// The YAML of the articles that the project began from, as it stands, on a running mesh.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { inBothCaptureModes } from './capture-modes.ts';
import { field, send, share, type Tally } from './load.ts';
import { type Reply, RunningMesh, root, samples } from './running-mesh.ts';
import { isPresent, SEEDS } from '../shared-data.ts';

/**
 * Envoy draws for each request: over 1,000 a share of 25 % strays by 3 percentage points in one run of forty, over 4,000 in one
 * of eighty thousand.
 */
const REQUESTS = 4_000;

const here = join(root, 'test', 'feature', 'meshes');

/** The version of reviews that the product page was served by. */
function reviewsVersion(reply: Reply): string | undefined {
  if (reply.status !== 200) return undefined;
  const version = field(reply.body, 'upstream', 'reviews', 'body', 'version');
  return typeof version === 'string' ? version : `status ${String(field(reply.body, 'upstream', 'reviews', 'status'))}`;
}

function echoVersion(reply: Reply): string | undefined {
  return reply.status === 200 ? String(field(reply.body, 'version')) : undefined;
}

const webVersion = (reply: Reply): string | undefined =>
  reply.status === 200 ? reply.body.trim().replace('Version: ', '') : undefined;

function assertNoFailures(tally: Tally, mesh: RunningMesh): void {
  assert.deepEqual(tally.failures.slice(0, 5), [], mesh.log());
}

inBothCaptureModes('the articles on a running mesh', (capture) => {
  let mesh: RunningMesh;

  before('start bookinfo and the echo services', async function () {
    if (!isPresent(SEEDS)) return this.skip();
    mesh = await RunningMesh.start([join(samples, 'bookinfo'), join(here, 'echo')], capture);
  });
  after(() => mesh?.stop());

  const products = (headers: Record<string, string> = {}) => ({
    address: mesh.gateway,
    path: '/api/v1/products/0',
    headers,
    name: reviewsVersion,
  });

  it('000: without rules all versions of reviews answer; with all-v1 only v1 does', async () => {
    const before = await send(products(), 30);
    assertNoFailures(before, mesh);
    assert.deepEqual([...before.counts.keys()].sort(), ['v1', 'v2', 'v3']);
    await mesh.applySeed('000-route-rule-all-v1.yaml');
    const after = await send(products(), 60);
    assertNoFailures(after, mesh);
    assert.deepEqual([...after.counts], [['v1', 60]]);
  });

  it('000: the cookie user=jason goes to reviews v2, everyone else to v1', async () => {
    // As the article has it: this rule replaces reviews' own, the subsets stay.
    await mesh.applySeed('000-route-rule-all-v1.yaml', 'rules.yaml');
    const replaced = await mesh.gatehouse('replace', '-f', join(SEEDS, '000-route-rule-reviews-test-v2.yaml'), '--dir', mesh.dir);
    assert.equal(replaced.code, 0, replaced.stderr);
    await mesh.settled();
    const jason = await send(products({ cookie: 'a=b;user=jason' }), 40);
    const jill = await send(products({ cookie: 'user=jill' }), 40);
    assert.deepEqual([[...jason.counts], [...jill.counts]], [[['v2', 40]], [['v1', 40]]]);
  });

  it('003: dark launch for end-user: tester, then half of its calls fail with 503 under the fault', async () => {
    const subsets = '000-route-rule-all-v1.yaml';
    await mesh.applySeed(subsets, 'rules.yaml');
    const dark = await mesh.gatehouse('apply', '-f', join(SEEDS, '003-dark-launch.yaml'), '--dir', mesh.dir);
    assert.equal(dark.code, 0, dark.stderr);
    await mesh.settled();
    const tester = await send(products({ 'end-user': 'tester' }), 40);
    const other = await send(products({ 'end-user': 'other' }), 40);
    assert.deepEqual([[...tester.counts], [...other.counts]], [[['v2', 40]], [['v1', 40]]]);

    const fault = await mesh.gatehouse('apply', '-f', join(SEEDS, '003-dark-launch-fault.yaml'), '--dir', mesh.dir);
    assert.equal(fault.code, 0, fault.stderr);
    await mesh.settled();
    const faulty = await send(products({ 'end-user': 'tester' }), 400);
    assertNoFailures(faulty, mesh);
    // 400 draws at 1/2: 12 percentage points are 4.8 standard deviations.
    assert.ok(Math.abs(share(faulty, 'status 503') - 50) < 12, JSON.stringify([...faulty.counts]));
    assert.equal((faulty.counts.get('v2') ?? 0) + (faulty.counts.get('status 503') ?? 0), 400);
    const spared = await send(products({ 'end-user': 'other' }), 40);
    assert.deepEqual([...spared.counts], [['v1', 40]]);
    await mesh.remove('rules.yaml');
  });

  it('001: 50/50 without a rule, 80/20 and 5/95 with one', async () => {
    // The article's cluster has nothing else on the gateway's wildcard host.
    await mesh.change(() => mesh.move('bookinfo/gateway.yaml', '.bookinfo-gateway'));
    await mesh.applySeed('001-01-web-demo-versions.yaml', 'web.yaml');
    await mesh.applySeed('001-02-web-demo-service-gateway.yaml', 'web-gateway.yaml');
    const web = () => ({ address: mesh.gateway, path: '/', name: webVersion });
    await mesh.answers('/', (reply) => reply.status === 200);
    const even = await send(web(), 400);
    assertNoFailures(even, mesh);
    assert.ok(Math.abs(share(even, 'v0.1') - 50) < 12, JSON.stringify([...even.counts]));

    const eighty = await mesh.gatehouse('apply', '-f', join(SEEDS, '001-03-web-demo-80-20.yaml'), '--dir', mesh.dir);
    assert.equal(eighty.code, 0, eighty.stderr);
    await mesh.settled();
    const split = await send(web(), REQUESTS);
    assertNoFailures(split, mesh);
    assert.ok(Math.abs(share(split, 'v0.1') - 80) <= 3, JSON.stringify([...split.counts]));

    const five = await mesh.gatehouse('apply', '-f', join(SEEDS, '001-04-web-demo-5-95.yaml'), '--dir', mesh.dir);
    assert.equal(five.code, 0, five.stderr);
    await mesh.settled();
    const most = await send(web(), REQUESTS);
    assertNoFailures(most, mesh);
    assert.ok(Math.abs(share(most, 'v0.1') - 5) <= 3, JSON.stringify([...most.counts]));
    await mesh.remove('web-gateway.yaml');
    await mesh.remove('web.yaml');
  });

  it('003: the malformed Gateway gets a diagnostic with the repair; repaired, blue and green go by host', async () => {
    await mesh.applySeed('003-circuit-breaker.yaml', 'subsets.yaml', (text) => text.replace(/\n {6}trafficPolicy:[^]*$/, '\n'));
    const file = join(SEEDS, '003-blue-green.yaml');
    const found = await mesh.gatehouse('validate', '-f', mesh.dir, '-f', file);
    assert.equal(found.code, 1);
    assert.match(found.stderr, /003-blue-green\.yaml:\d+: error: .*Gateway default\/my-gateway.*servers/);
    const refused = await mesh.gatehouse('create', '-f', file, '--dir', mesh.dir);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /my-gateway/);

    await mesh.applySeed('003-blue-green.yaml', 'blue-green.yaml', repairGateway);
    const ask = (host: string) => ({ address: mesh.gateway, path: '/', headers: { host }, name: echoVersion });
    const blue = await send(ask('myapp'), 20);
    const green = await send(ask('test.myapp'), 20);
    assert.deepEqual([[...blue.counts], [...green.counts]], [[['v2', 20]], [['v1', 20]]]);
  });

  it('003: 25/75', async () => {
    const canary = await mesh.gatehouse('apply', '-f', join(SEEDS, '003-canary-25-75.yaml'), '--dir', mesh.dir);
    assert.equal(canary.code, 0, canary.stderr);
    await mesh.settled();
    const split = await send({ address: mesh.gateway, path: '/', headers: { host: 'myapp' }, name: echoVersion }, REQUESTS);
    assertNoFailures(split, mesh);
    assert.ok(Math.abs(share(split, 'v1') - 25) <= 3, JSON.stringify([...split.counts]));
  });

  it('003: the circuit breaker ejects v2 after its errors', async () => {
    await mesh.applySeed('003-circuit-breaker.yaml', 'subsets.yaml');
    await mesh.applySeed('003-blue-green.yaml', 'blue-green.yaml', repairGateway);
    const ask = (headers: Record<string, string> = {}) => ({
      address: mesh.gateway,
      path: '/',
      headers: { host: 'myapp', ...headers },
      concurrency: 1,
      name: (reply: Reply) =>
        reply.body.includes('"service":"echo"') ? `application ${String(reply.status)}` : `proxy ${String(reply.status)}`,
    });
    assert.deepEqual([...(await send(ask(), 5)).counts], [['application 200', 5]]);
    // Two errors in a row open the circuit (503s of the application are not retried here but counted).
    const failing = await send(ask({ 'x-echo-status': '500' }), 6);
    assert.ok((failing.counts.get('application 500') ?? 0) >= 2, JSON.stringify([...failing.counts]));
    const ejected = await send(ask(), 10);
    assert.deepEqual([...ejected.counts], [['proxy 503', 10]]);
    await mesh.remove('blue-green.yaml');
    await mesh.remove('subsets.yaml');
  });

  it('003: subsets of a host that is not there are told of, and hurt nothing', async () => {
    await mesh.applySeed('003-subsets.yaml', 'subsets-only.yaml');
    const found = await mesh.gatehouse('validate', '-f', mesh.dir);
    assert.match(found.stderr, /subsets-only\.yaml:\d+: .*my-host/);
    await mesh.remove('subsets-only.yaml');
  });

  it('004: 90/10 with /myapp rewritten to /', async () => {
    const applied = await mesh.gatehouse(
      'apply',
      '-n',
      'test',
      '-f',
      join(SEEDS, '004-traffic-shifting.yaml'),
      '--dir',
      mesh.dir,
    );
    assert.equal(applied.code, 0, applied.stderr);
    await mesh.settled();
    const paths = new Set<unknown>();
    const split = await send(
      {
        address: mesh.gateway,
        path: '/myapp',
        name: (reply) => {
          if (reply.status === 200) paths.add(field(reply.body, 'path'));
          return echoVersion(reply);
        },
      },
      REQUESTS,
    );
    assertNoFailures(split, mesh);
    assert.ok(Math.abs(share(split, 'v1') - 90) <= 3, JSON.stringify([...split.counts]));
    assert.deepEqual([...paths], ['/']);
    const below = await send(
      { address: mesh.gateway, path: '/myapp/page?q=1', name: (reply) => String(field(reply.body, 'path')) },
      3,
    );
    assert.deepEqual([...below.counts], [['/page?q=1', 3]]);
  });
});

/** The article's Gateway as its author meant it. */
function repairGateway(text: string): string {
  const repaired = text.replace(
    / {2}servers:\n {4}hosts:\n {4}- "\*"\n {2}- Port:\n {6}number: 80\n {6}name: http\n {6}protocol: Http\n/,
    '  servers:\n  - port:\n      number: 80\n      name: http\n      protocol: HTTP\n    hosts:\n    - "*"\n',
  );
  assert.notEqual(repaired, text, 'the malformed Gateway of the article was not found');
  return repaired;
}
