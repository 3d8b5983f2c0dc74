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
  this.timeout(30_000);
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
});
