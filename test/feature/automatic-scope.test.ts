// Automatic scopes in a whole mesh: proxies begin with nothing, the first call to a service brings its clusters, and what was called is known after
// restarts of the control plane and of proxies.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { openCallStore } from '../../audit/store/calls.ts';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { field } from './load.ts';
import { get, RunningMesh, samples } from './running-mesh.ts';

const PRODUCT = '/api/v1/products/0';
const PAGE = 'default/productpage-v1';
const REVIEWS = 'reviews.default.svc.cluster.local';
const DETAILS = 'details.default.svc.cluster.local';

interface Scope {
  readonly of: number;
  readonly services: readonly { readonly service: string; readonly reasons: readonly { readonly kind: string }[] }[];
}

inBothCaptureModes('automatic scopes', (capture) => {
  let mesh: RunningMesh;
  before('start bookinfo with --automatic-scope', async () => {
    const sources = [join(samples, 'bookinfo'), join(samples, 'bookinfo-rules', 'subsets.yaml')];
    mesh = await RunningMesh.start(sources, capture, ['--automatic-scope']);
  });
  after(() => mesh?.stop());

  /** Hosts of the outbound clusters that an Envoy has. */
  const clusters = async (workload: string): Promise<readonly string[]> => {
    const text = await mesh.admin(workload, '/clusters?format=json');
    const { cluster_statuses: all = [] } = JSON.parse(text) as { cluster_statuses?: readonly { readonly name: string }[] };
    return [...new Set(all.flatMap(({ name }) => /^outbound\|\d+\|[^|]*\|(.+)$/.exec(name)?.[1] ?? []))].sort();
  };
  const scope = async (workload: string): Promise<ReadonlyMap<string, readonly string[]>> => {
    const pod = `${workload.split('/')[0] ?? ''}/${mesh.workload(workload).pod}`;
    const { code, stdout, stderr } = await mesh.gatehouse(
      ...['proxy', 'scope', pod, '--http', mesh.ready.controlPlane.http, '-o', 'json'],
    );
    assert.equal(code, 0, stderr);
    const found: Scope = JSON.parse(stdout);
    return new Map(found.services.map(({ service, reasons }) => [service, reasons.map(({ kind }) => kind)]));
  };
  /** How many services a workload called, as the store has it. */
  const written = async (workload: string): Promise<number> => {
    const store = await openCallStore({ engine: 'sqlite', file: mesh.auditFile }, () => new Date());
    const calls = await store.read(0).finally(() => store.close());
    return calls.filter((call) => call.workload === workload).length;
  };
  const page = async (): Promise<number> => {
    const begin = performance.now();
    const reply = await get(mesh.gateway, PRODUCT);
    assert.equal(reply.status, 200, mesh.log());
    for (const part of ['details', 'reviews']) assert.equal(field(reply.body, 'upstream', part, 'status'), 200, reply.body);
    return performance.now() - begin;
  };

  it('a proxy begins without clusters, and the first request to each service is answered', async () => {
    assert.deepEqual(await clusters(PAGE), []);
    assert.deepEqual([...(await scope(PAGE))], []);
    const first = await page();
    const second = await page();
    if (process.env['SHOW'] !== undefined) console.log(`      first ${first.toFixed(0)} ms, then ${second.toFixed(0)} ms`);
    assert.deepEqual(await clusters(PAGE), [DETAILS, REVIEWS]);
    const found = await scope(PAGE);
    assert.deepEqual([...found.keys()], [DETAILS, REVIEWS]);
    assert.ok(
      [...found.values()].every((kinds) => kinds.includes('asked')),
      JSON.stringify([...found]),
    );
  });

  it('calls are told as what they are once they were recorded', async () => {
    await eventually('the calls are in the scope', async () =>
      [...(await scope(PAGE)).values()].every((kinds) => kinds.includes('called')) ? true : undefined,
    );
    const { stdout } = await mesh.gatehouse(
      ...['proxy', 'scope', `default/${mesh.workload(PAGE).pod}`, '--http', mesh.ready.controlPlane.http],
    );
    assert.match(stdout, /Automatic scope: 2 of \d+ services/);
    assert.match(stdout, /reviews\.default\.svc\.cluster\.local +called, 2\d{3}-/);
  });

  it('a route that leads nowhere is answered with 503 at once, the second time too', async () => {
    await mesh.apply(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: details, namespace: default}
spec:
  hosts: [details]
  http:
  - route: [{destination: {host: details, subset: nowhere}}]
`);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const begin = performance.now();
      const reply = await get(mesh.gateway, PRODUCT);
      assert.equal(field(reply.body, 'upstream', 'details', 'status'), 503, reply.body);
      assert.ok(performance.now() - begin < 3_000, `${String(attempt)}: ${String(performance.now() - begin)} ms`);
    }
    await mesh.remove('rules.yaml');
    await page();
  });

  it('a control plane that starts again knows them, and a proxy that starts again begins with them', async () => {
    // Within a second; what was not written yet is learned anew.
    await eventually('the calls are written', async () => ((await written(PAGE)) === 2 ? true : undefined));
    const { pid, proxies } = (await mesh.status()) ?? assert.fail();
    process.kill(pid, 'SIGKILL');
    await eventually('another control plane serves all proxies', async () => {
      const now = await mesh.status();
      return now !== undefined && now.pid !== pid && now.proxies.length >= proxies.length ? true : undefined;
    });
    await page();
    const found = await scope(PAGE);
    assert.deepEqual([...found.keys()], [DETAILS, REVIEWS]);
    assert.ok(
      [...found.values()].every((kinds) => kinds.includes('called')),
      JSON.stringify([...found]),
    );
    await mesh.admin(PAGE, '/quitquitquit').catch(() => undefined);
    const post = await eventually('the proxy has its clusters before any call', () =>
      clusters(PAGE).then(
        (now) => (now.length === 2 ? now : undefined),
        () => undefined,
      ),
    );
    assert.deepEqual(post, [DETAILS, REVIEWS]);
  });

  it('a Sidecar says itself what its proxies see, and where it goes nothing is taken from them', async () => {
    const sidecar =
      'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: default}\nspec:\n  egress: [{hosts: [./*]}]\n';
    await mesh.apply(sidecar, 'sidecar.yaml');
    const seen = await clusters(PAGE);
    assert.ok(seen.length > 3 && seen.every((host) => host.endsWith('.default.svc.cluster.local')), seen.join());
    const { code, stderr } = await mesh.gatehouse(
      ...['proxy', 'scope', `default/${mesh.workload(PAGE).pod}`, '--http', mesh.ready.controlPlane.http],
    );
    assert.equal(code, 1);
    assert.match(stderr, /no connected proxy with an automatic scope/);
    await page();
    await mesh.remove('sidecar.yaml');
    assert.deepEqual(await clusters(PAGE), seen);
    await page();
  });
});
