import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { edge } from '../../audit/edges.ts';
import { policyYaml, workloadYaml } from './mesh.ts';

const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));

describe('policy: the commands that ask the audit store', function () {
  this.timeout(120_000);
  let folder: string;
  const run = (...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> =>
    new Promise((resolve) =>
      execFile(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          MAIN,
          'policy',
          ...args,
          ...(args.includes('--db') ? [] : ['--db', join(folder, 'audit.db')]),
        ],
        (error, out, err) => resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }),
      ),
    );
  const mesh = (name: string, ...documents: readonly string[]): string => {
    const dir = join(folder, name);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'mesh.yaml'), [workloadYaml('web'), workloadYaml('app'), ...documents].join(''));
    return dir;
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-policy-store-'));
    const store = await openSqliteStore({ file: join(folder, 'audit.db'), clock: () => new Date() });
    const seen = { time: Date.now() - 60_000, verdict: { kind: 'allowed-no-policy' } } as const;
    const plain = { mtls: false, source: { principal: undefined, workload: undefined, address: '10.9.9.9' } } as const;
    await store.append({ edges: [edge(seen), edge({ ...seen, method: 'POST' }), edge({ ...seen, ...plain })], losses: [] });
    await store.close();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('end with 1 where something would break, with 0 where nothing would, with 2 where they are used wrongly', async () => {
    const before = mesh('before');
    const get = policyYaml(
      'AuthorizationPolicy',
      'app',
      '{selector: {matchLabels: {app: app}}, rules: [{to: [{operation: {methods: [GET]}}]}]}',
    );
    const after = mesh('after', get);
    const [broken, kept, cutOff, wrong, junit] = await Promise.all([
      run('replay', '--before', before, '--after', after, '-o', 'json'),
      run('replay', '--before', before, '--after', before),
      run('preflight', 'shop', '-f', before, '-o', 'json'),
      run('replay'),
      run('replay', '-f', after, '-o', 'junit'),
    ]);
    assert.equal(broken.code, 1, broken.err);
    const found: { readonly broken: readonly { readonly method: string; readonly after: { readonly cause: string } }[] } =
      JSON.parse(broken.out);
    assert.deepEqual(
      found.broken.map(({ method, after: { cause } }) => [method, cause]),
      [['POST', 'not-allowed']],
    );
    assert.equal(kept.code, 0, kept.err);
    assert.match(kept.out, /Nothing that was seen would break/);
    assert.equal(cutOff.code, 1, cutOff.err);
    const cut: { readonly cutOff: readonly { readonly addresses: readonly string[] }[] } = JSON.parse(cutOff.out);
    assert.deepEqual(
      cut.cutOff.map(({ addresses }) => addresses),
      [['10.9.9.9']],
    );
    assert.equal(wrong.code, 2);
    assert.equal(junit.code, 1);
    assert.match(junit.out, /<testsuite name="shop\/app" tests="1" failures="1"/);
  });

  it('say what is wrong with a question, in their own name, and never that nothing would break', async () => {
    const there = mesh('there');
    const other = mkdtempSync(join(tmpdir(), 'gatehouse-no-store-'));
    writeFileSync(join(other, 'text.db'), 'no database');
    const asked = [
      [['replay', '-f', there, '--since', '2099-01-01'], 2, /policy replay: --since: 2099-01-01T00:00:00.000Z is yet to come/],
      [['dry-run', '-f', there, '--written', '2099-01-01'], 2, /policy dry-run: --written: the time is yet to come/],
      [['unused', '-f', there, '--namespace', 'shoop'], 2, /no workload in namespace shoop .*there are shop\/app, shop\/web/],
      [['replay', '-f', there, '--workload', 'shop/ap'], 2, /no workload shop\/ap .*there are shop\/app, shop\/web/],
      [['suggest', '-f', there, '--db', join(other, 'none.db')], 1, /^gatehouse policy suggest: .*none\.db.*--db/m],
      [['unused', '-f', there, '--db', join(other, 'text.db')], 1, /^gatehouse policy unused: .*text\.db.*--db/m],
    ] as const;
    try {
      for (const [args, code, told] of asked) {
        const found = await run(...args);
        assert.equal(found.code, code, `${args.join(' ')}: ${found.err}`);
        assert.match(found.err, told);
        assert.equal(found.out, '');
      }
    } finally {
      rmSync(other, { recursive: true });
    }
  });
});
