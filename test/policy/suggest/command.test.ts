import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { Edge } from '../../../audit/model/edge.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { parseSpiffeId, type SpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { edge } from '../../audit/edges.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SHOP = join(ROOT, 'manifests', 'samples', 'shop');

function account(name: string): SpiffeId {
  const parsed = parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${name}`);
  assert.ok(parsed.ok);
  return parsed.value;
}

function call(from: string, to: string, change: Partial<AccessRecord> = {}): Edge {
  return edge({
    time: Date.now() - 3_600_000,
    source: { principal: account(from), workload: `shop/${from}`, address: '10.0.0.2' },
    destination: { principal: account(to), workload: `shop/${to}`, address: undefined },
    service: `${to}.shop.svc.cluster.local`,
    ...change,
  });
}

describe('gatehouse policy suggest', function () {
  this.timeout(180_000);
  let folder = '';

  function run(...args: readonly string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
    const flags = ['--disable-warning=ExperimentalWarning', join(ROOT, 'cli', 'main.ts'), ...args];
    const env = { ...process.env, NO_COLOR: '1', GATEHOUSE_AUDIT_DB: join(folder, 'audit.db') };
    const done = spawnSync(process.execPath, flags, { cwd: folder, encoding: 'utf8', env });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }
  const suggest = (...args: readonly string[]) => run('policy', 'suggest', ...args);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-suggest-command-'));
    cpSync(SHOP, join(folder, 'shop'), { recursive: true });
    mkdirSync(join(folder, 'open'));
    for (const file of ['00-namespace.yaml', 'gateway.yaml', 'shop.yaml', 'users.yaml'])
      cpSync(join(SHOP, file), join(folder, 'open', file));
    const store = await openSqliteStore({ file: join(folder, 'audit.db'), clock: () => new Date() });
    await store.append({
      edges: [
        ...Array.from({ length: 7 }, () => call('mobile', 'users', { template: '/users/{id}' })),
        call('support', 'users', { template: '/users/{id}' }),
        call('website', 'users', { template: '/users/{id}', verdict: { kind: 'denied-no-rule', policies: ['shop/users'] } }),
        call('users', 'fraud', { template: '/scores/{id}' }),
        call('users', 'fraud', { template: '/scores/{id}', method: 'POST' }),
        call('users', 'fraud', { template: '/health' }),
        ...[29, 22, 15, 8, 1].map((days) =>
          call('rewards', 'users', { template: '/users/export', time: Date.now() - days * 86_400_000 }),
        ),
        call('mobile', 'fraud', {
          template: '/scores/{id}',
          mtls: false,
          source: { principal: undefined, workload: undefined, address: '10.9.9.9' },
        }),
      ],
      losses: [],
    });
    await store.close();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('prints policies as YAML with what they rest on', () => {
    const { status, out, err } = suggest('-f', 'open', '--namespace', 'shop', '--dry-run');
    assert.deepEqual([status, err], [0, '']);
    const users = out.split('---\n').find((text) => text.includes('name: allow-to-users\n'));
    assert.match(users ?? '', /^# Suggested by gatehouse policy suggest for shop\/users: calls from \d/);
    assert.match(users ?? '', /^# - \/users\/\{\*\}: \{\*\} is any one segment; records have identifiers there$/m);
    assert.match(
      users ?? '',
      /^# - denied: cluster\.local\/ns\/shop\/sa\/website: was denied .*; denied calls are never granted$/m,
    );
    assert.match(users ?? '', /# 8 calls, \d{4}-\d\d-\d\d \d\d:\d\d to .*\n +- from:/);
    assert.match(users ?? '', /^# - rare: cluster\.local\/ns\/shop\/sa\/rewards: seldom seen: on 5 days of 29 days .*; kept$/m);
    const fraud = out.split('---\n').find((text) => text.includes('name: allow-to-fraud\n'));
    assert.match(
      fraud ?? '',
      /to:\n +# 1 call, .*\n +- operation:[^#]*- \/health\n +# 2 calls, .*\n +- operation:[^#]*- \/scores\/\{\*\}\n$/,
    );
    const found = parseAllDocuments(out).map((document) => document.toJSON() as unknown);
    assert.deepEqual(
      found.find((one) => JSON.stringify(one).includes('allow-to-users')),
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'allow-to-users', namespace: 'shop', annotations: { 'istio.io/dry-run': 'true' } },
        spec: {
          selector: { matchLabels: { app: 'users' } },
          action: 'ALLOW',
          rules: [
            {
              from: [{ source: { principals: ['cluster.local/ns/shop/sa/mobile', 'cluster.local/ns/shop/sa/support'] } }],
              to: [{ operation: { ports: ['8080'], methods: ['GET'], paths: ['/users/{*}'] } }],
            },
            {
              from: [{ source: { principals: ['cluster.local/ns/shop/sa/rewards'] } }],
              to: [{ operation: { ports: ['8080'], methods: ['GET'], paths: ['/users/export'] } }],
            },
          ],
        },
      },
    );
  });

  it('writes files that the mesh takes, and replaces only its own', () => {
    const first = suggest('-f', 'open', '--namespace', 'shop', '--out', 'open/suggested');
    assert.equal(first.status, 0, first.err);
    assert.match(first.err, /^\d+ policies written to open\/suggested$/m);
    const { diagnostics } = loadMesh({ paths: [join(folder, 'open')] });
    assert.deepEqual(
      diagnostics
        .filter(({ severity, file }) => severity === 'error' || file.includes('suggested'))
        .map(({ message }) => message),
      [],
    );
    const again = suggest('-f', 'open', '--namespace', 'shop');
    assert.deepEqual([again.status, again.out], [0, '']);
    assert.match(again.err, /^nothing to suggest/);
    const users = join(folder, 'open/suggested/shop/allow-to-users.yaml');
    assert.ok(existsSync(users));
    rmSync(join(folder, 'open/suggested'), { recursive: true });
    mkdirSync(join(folder, 'elsewhere/shop'), { recursive: true });
    writeFileSync(join(folder, 'elsewhere/shop/allow-to-users.yaml'), 'mine: true\n');
    const refused = suggest('-f', 'open', '--namespace', 'shop', '--out', 'elsewhere');
    assert.equal(refused.status, 1);
    assert.match(refused.err, /allow-to-users\.yaml is there and was not written by this command; nothing was written/);
    assert.equal(readFileSync(join(folder, 'elsewhere/shop/allow-to-users.yaml'), 'utf8'), 'mine: true\n');
    assert.ok(!existsSync(join(folder, 'elsewhere/shop/allow-to-fraud.yaml')));
  });

  it('prints JSON, tables and Markdown', () => {
    const json = suggest('-f', 'open', '--workload', 'users', '-o', 'json');
    assert.equal(json.status, 0, json.err);
    const { policies, notes, generalisations } = JSON.parse(json.out) as {
      readonly policies: readonly {
        readonly workload: string;
        readonly rules: readonly { readonly evidence: { readonly calls: number } }[];
      }[];
      readonly notes: readonly { readonly kind: string }[];
      readonly generalisations: readonly string[];
    };
    assert.deepEqual(
      policies.map(({ workload, rules }) => [workload, rules.map(({ evidence }) => evidence.calls)]),
      [['shop/users', [8, 5]]],
    );
    assert.deepEqual([notes.map(({ kind }) => kind), generalisations.length], [['rare', 'denied'], 1]);
    assert.match(suggest('-f', 'open', '-o', 'table').out, /shop\/users .*mobile.*\/users\/\{\*\}/);
    assert.match(suggest('-f', 'open', '-o', 'markdown').out, /^# Policies of least privilege/);
  });

  it('only what is not granted today', () => {
    const { status, out, err } = suggest('-f', 'shop', '--namespace', 'shop', '-o', 'json');
    assert.equal(status, 0, err);
    const { policies } = JSON.parse(out) as {
      readonly policies: readonly {
        readonly name: string;
        readonly rules: readonly { readonly methods: object; readonly paths: object }[];
      }[];
    };
    // Scores are read by users today, and nothing else is done there.
    assert.deepEqual(
      policies.map(({ name, rules }) => [name, rules.map(({ methods, paths }) => [methods, paths])]),
      [
        [
          'allow-to-fraud',
          [
            [['GET'], ['/health']],
            [['POST'], ['/scores/{*}']],
          ],
        ],
      ],
    );
  });

  it('says what is wrong, and what is not let in', () => {
    assert.equal(suggest('-f', 'open', '--workload', 'nobody').status, 2);
    assert.equal(suggest('-f', 'open', '--workload', 'users', '--by', 'namespace').status, 2);
    assert.equal(suggest('-f', 'open', '--since', 'soon').status, 2);
    assert.equal(suggest('-f', 'open', '--db', 'nowhere.db').status, 1);
    cpSync(join(folder, 'open'), join(folder, 'denying'), { recursive: true });
    writeFileSync(
      join(folder, 'denying/deny.yaml'),
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-scores, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/scores/*]}}]}]}
`,
    );
    const { status, err } = suggest('-f', 'denying', '--namespace', 'shop');
    assert.equal(status, 1);
    assert.match(
      err,
      /^warning: not let in: shop\/fraud: 2 calls of cluster\.local\/ns\/shop\/sa\/users: shop\/no-scores rule 0 denies them today$/m,
    );
  });

  it('and the plan of a rollout before its dry run lists the same rare callers, with when they were seen last', () => {
    cpSync(join(folder, 'open'), join(folder, 'strict'), { recursive: true });
    writeFileSync(
      join(folder, 'strict', 'rollout.yaml'),
      `
apiVersion: gatehouse.dev/v1alpha1
kind: NamespaceRollout
metadata: {name: shop, namespace: shop}
spec: {gates: {enforce: {observedFor: 720h}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: rollout-strict, namespace: shop, labels: {gatehouse.dev/rollout: shop}}
spec: {mtls: {mode: STRICT}}
`,
    );
    const { status, out, err } = run('rollout', 'plan', 'shop', '-f', 'strict', '-o', 'json');
    // Nothing is known of proxies, which holds it.
    assert.equal(status, 1, err);
    const { notes } = JSON.parse(out) as { readonly notes: readonly string[] };
    assert.match(
      notes.find((note) => note.includes(': rare: ')) ?? '',
      /^shop\/users: rare: cluster\.local\/ns\/shop\/sa\/rewards: seldom seen: on 5 days of 29 days .*; kept; the last \d{4}-/,
    );
  });
});
