import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { edge } from './edges.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function gatehouse(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe('gatehouse audit', function () {
  this.timeout(90_000);
  let folder: string;
  let file: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-command-'));
    file = join(folder, 'audit.db');
    const store = await openSqliteStore({ file, clock: () => new Date() });
    await store.append({
      edges: [
        edge({ time: Date.now() }),
        edge({
          time: Date.now(),
          method: 'DELETE',
          verdict: { kind: 'denied-by-rule', by: { policy: 'shop/no-delete', rule: 1 } },
        }),
        edge({ time: Date.now() - 3 * 3_600_000, template: '/old' }),
      ],
      losses: [],
    });
    await store.close();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('prints the report as it is asked to', async () => {
    const beginnings: readonly (readonly [string, RegExp])[] = [
      ['table', /^Who talked to whom/],
      ['json', /^\{/],
      ['html', /^<!doctype html>/],
    ];
    for (const [format, beginning] of beginnings) {
      const { code, stdout, stderr } = await gatehouse(['audit', 'report', '--db', file, '-o', format]);
      assert.deepEqual([code, stderr], [0, ''], format);
      assert.match(stdout, beginning);
      assert.ok(stdout.includes('no-delete'), format);
    }
  });

  it('takes the store from the environment, and filters', async () => {
    const { code, stdout } = await gatehouse(
      ['audit', 'edges', '--since', '1h', '--verdict', 'denied', '--namespace', 'shop', '-o', 'json'],
      { GATEHOUSE_AUDIT_DB: file },
    );
    assert.equal(code, 0);
    const edges: unknown = JSON.parse(stdout);
    assert.ok(Array.isArray(edges) && edges.length === 1);
    const only: unknown = edges[0];
    assert.ok(typeof only === 'object' && only !== null);
    assert.deepEqual(Object.keys(only), [
      'source',
      'destination',
      'port',
      'protocol',
      'method',
      'path',
      'mtls',
      'decision',
      'policy',
      'rule',
      'reason',
      'verdict',
      'policies',
      'marks',
      'count',
      'firstSeen',
      'lastSeen',
      'statuses',
      'bytesReceived',
      'bytesSent',
      'latencyMs',
    ]);
    assert.equal((await gatehouse(['audit', 'edges', '--db', file, '--since', '1h'])).stdout.trimEnd().split('\n').length, 2);
    assert.equal((await gatehouse(['audit', 'edges', '--db', file])).stdout.trimEnd().split('\n').length, 3);
  });

  it('says what is wrong with a store, and ends with 1', async () => {
    const missing = await gatehouse(['audit', 'report', '--db', join(folder, 'none.db')]);
    assert.deepEqual([missing.code, missing.stdout], [1, '']);
    assert.match(missing.stderr, /there is no audit store at .*none\.db .*--db/);
    const damaged = join(folder, 'damaged.db');
    writeFileSync(damaged, 'x'.repeat(8192));
    const run = await gatehouse(['audit', 'report', '--db', damaged]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /not a database/);
    assert.ok(!run.stderr.includes('    at '), 'no stack trace');
  });

  it('ends with 2 when it is used wrongly', async () => {
    for (const args of [
      ['--since', 'yesterday'],
      ['--since', '1h', '--until', '2h'],
      ['-o', 'pdf'],
    ]) {
      const { code, stderr } = await gatehouse(['audit', 'report', '--db', file, ...args]);
      assert.equal(code, 2, args.join(' '));
      assert.notEqual(stderr, '');
    }
  });

  it('compares two periods, and fails on what it is told to fail on', async () => {
    const args = ['audit', 'compare', '--db', file, '--before', '5h..1h', '--after', '1h', '--paths', '-o', 'json'];
    const { code, stdout, stderr } = await gatehouse([...args, '--fail-on', 'new,volume']);
    const comparison: unknown = JSON.parse(stdout);
    assert.ok(typeof comparison === 'object' && comparison !== null && 'totals' in comparison);
    assert.deepEqual(comparison.totals, { new: 2, vanished: 1, verdict: 0, encryption: 0, volume: 0, unchanged: 0 });
    assert.equal(code, 1);
    assert.match(stderr, /--fail-on names: 2 new$/m);
    assert.equal((await gatehouse(['audit', 'compare', '--db', file, '--after', '1h', '--before', '2h'])).code, 2);
  });

  it('answers who did call without a configuration, and who may with one', async () => {
    const { code, stdout, stderr } = await gatehouse(['audit', 'who', 'shop/app', '--db', file, '--service', 'x']).then(
      (wrong) => {
        assert.equal(wrong.code, 2);
        return gatehouse(['audit', 'who', 'shop/app', '--db', file]);
      },
    );
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /No configuration was given/);
    assert.match(stdout, /test\.mesh\/ns\/shop\/sa\/web/);
    const config = fileURLToPath(new URL('../../manifests/samples/shop', import.meta.url));
    const may = await gatehouse(['audit', 'who', 'users', 'fraud', '--db', file, '-f', config]);
    assert.equal(may.code, 0, may.stderr);
    assert.match(may.stdout, /shop\/users +cluster\.local\/ns\/shop\/sa\/mobile .* never/);
  });

  it('gives no answer by a configuration with errors', async () => {
    const broken = join(folder, 'broken.yaml');
    writeFileSync(
      broken,
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x}\nspec: {action: PERHAPS}\n',
    );
    const refused = await gatehouse(['audit', 'report', '--with-policy', '--db', file, '-f', broken]);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /the configuration has errors/);
  });

  it('filters by service', async () => {
    const { stdout } = await gatehouse(['audit', 'edges', '--db', file, '--service', 'shop/app']);
    assert.equal(stdout.trimEnd().split('\n').length, 3);
  });
});
