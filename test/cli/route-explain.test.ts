import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

const deployment = (name: string, labels: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec: {template: {metadata: {labels: {${labels}}}, spec: {containers: [{name: app}]}}}
---
`;

/** The mesh of the example in docs/routing.md. */
const MESH = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
${deployment('reviews-v1', 'app: reviews, version: v1')}${deployment('reviews-v2', 'app: reviews, version: v2')}${deployment('website', 'app: website')}apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
`;

describe('gatehouse route explain', function () {
  this.timeout(20_000);
  const page = readFileSync(join(ROOT, 'docs/routing.md'), 'utf8');
  let folder = '';
  before(() => {
    const virtualService = /```yaml\n(kind: VirtualService\n[^]*?)```/.exec(page.slice(page.indexOf('## Asking')))?.[1];
    assert.ok(virtualService !== undefined, 'docs/routing.md has an example');
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    mkdirSync(join(folder, 'mesh'));
    writeFileSync(join(folder, 'mesh/shop.yaml'), MESH + virtualService);
  });
  after(() => rmSync(folder, { recursive: true }));

  function explain(...args: readonly string[]) {
    const all = ['--disable-warning=ExperimentalWarning', join(ROOT, 'cli/main.ts'), 'route', 'explain', '-f', 'mesh/', ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8', cwd: folder });
    return { status, stdout, stderr };
  }

  it('prints what docs/routing.md shows', () => {
    const { status, stdout } = explain('--from', 'shop/website', '--to', 'http://reviews:9080/old/7');
    assert.equal(status, 0);
    assert.ok(page.includes(stdout.trimEnd()), stdout);
  });

  it('prints JSON: who is sent to, with shares that add up', () => {
    const { stdout } = explain('--from', 'shop/website', '--to', 'http://reviews:9080/', '-o', 'json');
    const { outcome, taken } = JSON.parse(stdout) as {
      readonly taken: { readonly route: number };
      readonly outcome: { readonly destinations: readonly { readonly subset: string; readonly share: number }[] };
    };
    assert.equal(taken.route, 2);
    assert.deepEqual(
      outcome.destinations.map(({ subset, share }) => [subset, share]),
      [
        ['v1', 0.9],
        ['v2', 0.1],
      ],
    );
  });

  it('says what there is when the caller is not there, and which URL it wants: exit 2', () => {
    const nobody = explain('--from', 'shop/nobody', '--to', 'http://reviews:9080/');
    assert.equal(nobody.status, 2);
    assert.match(nobody.stderr, /no workload "shop\/nobody" \(there are .*shop\/website/);
    assert.equal(explain('--from', 'shop/website').status, 2);
    assert.equal(explain('--from', 'shop/website', '--to', 'http://reviews:99999/').status, 2);
  });
});
