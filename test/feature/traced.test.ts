// One request through bookinfo, as Zipkin's own server tells it: every proxy on the way has its span, in one trace, each below its caller's.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { findZipkin, type Span, Zipkin } from '../tools/zipkin.ts';
import { field } from './load.ts';
import { get, RunningMesh, samples } from './running-mesh.ts';

const PRODUCT = '/api/v1/products/0';

/** `SERVICE KIND` of each span, and of the span that is its parent; without namespaces. */
function calls(spans: readonly Span[]): readonly string[] {
  const told = ({ localEndpoint, kind }: Span): string => `${localEndpoint?.serviceName?.split('.', 1)[0] ?? '?'} ${kind ?? '?'}`;
  return spans
    .map((span) => {
      const above = spans.find(({ id }) => id === span.parentId);
      return `${told(span)} < ${span.parentId === undefined ? 'outside' : above === undefined ? 'nobody' : told(above)}`;
    })
    .sort();
}

describe('bookinfo in Zipkin', function () {
  this.timeout(300_000);
  const dir = mkdtempSync(join(tmpdir(), 'gh-zipkin-'));
  let zipkin: Zipkin;
  let mesh: RunningMesh;

  before(async function () {
    // Fetching, the first time, is Maven's business.
    this.timeout(900_000);
    const found = findZipkin();
    if ('missing' in found) {
      this.test?.parent?.tests.forEach((test) => (test.title += ` (${found.missing})`));
      return this.skip();
    }
    zipkin = await Zipkin.start(found.jar);
    const config = join(dir, 'mesh-config.yaml');
    writeFileSync(
      config,
      `enableTracing: true\ndefaultConfig: {tracing: {sampling: 100, zipkin: {address: '${zipkin.address}'}}}\n`,
    );
    mesh = await RunningMesh.start([join(samples, 'bookinfo')], 'explicit', ['--mesh-config', config]);
  });
  after(async () => {
    await mesh?.stop();
    await zipkin?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('a page is one trace of eight spans, from the gateway to ratings', async () => {
    const id = await eventually(
      'a page with ratings',
      async () => {
        const reply = await get(mesh.gateway, PRODUCT);
        const stars =
          reply.status === 200 ? field(reply.body, 'upstream', 'reviews', 'body', 'upstream', 'ratings', 'status') : 0;
        return stars === 200 ? String(field(reply.body, 'headers', 'x-b3-traceid')) : undefined;
      },
      60_000,
    );
    const spans = await eventually(
      'all spans',
      async () => {
        const now = await zipkin.trace(id);
        return now.length >= 8 ? now : undefined;
      },
      60_000,
    ).catch(async (error: Error) => assert.fail(`${error.message}: ${JSON.stringify(await zipkin.trace(id), null, 1)}`));
    assert.deepEqual(calls(spans), [
      'details SERVER < productpage CLIENT',
      'istio-ingressgateway CLIENT < outside',
      'productpage CLIENT < productpage SERVER',
      'productpage CLIENT < productpage SERVER',
      'productpage SERVER < istio-ingressgateway CLIENT',
      'ratings SERVER < reviews CLIENT',
      'reviews CLIENT < reviews SERVER',
      'reviews SERVER < productpage CLIENT',
    ]);
    assert.deepEqual([...new Set(spans.map(({ traceId }) => traceId))], [id]);
    const ratings = spans.find(({ localEndpoint }) => localEndpoint?.serviceName?.startsWith('ratings.'));
    assert.deepEqual(
      ['http.status_code', 'istio.canonical_service', 'istio.canonical_revision', 'istio.namespace', 'istio.mesh_id'].map(
        (tag) => ratings?.tags?.[tag],
      ),
      ['200', 'ratings', 'v1', 'default', 'cluster.local'],
    );
    const services = await zipkin.services();
    for (const name of ['details', 'productpage', 'ratings', 'reviews'])
      assert.ok(services.includes(`${name}.default`), services.join());
  });
});
