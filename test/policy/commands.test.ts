import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { listFiles } from '../../mesh/source/files.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHOP = join(ROOT, 'manifests', 'samples', 'shop');

interface Done {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function policy(cwd: string, ...args: readonly string[]): Done {
  const flags = ['--disable-warning=ExperimentalWarning', join(ROOT, 'cli', 'main.ts'), 'policy', ...args];
  const done = spawnSync(process.execPath, flags, { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

type Json = Readonly<Record<string, unknown>>;

function rows(text: string): readonly Json[] {
  const value: unknown = JSON.parse(text);
  assert.ok(Array.isArray(value));
  return value as readonly Json[];
}

describe('policy commands', function () {
  this.timeout(60_000);
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-policy-'));
    cpSync(SHOP, join(folder, 'shop'), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  describe('explain', () => {
    it('prints everything as JSON', () => {
      const { status, out, err } = policy(
        folder,
        'explain',
        '-f',
        'shop',
        '--from',
        'shop/mobile',
        '--to',
        'shop/users:8080',
        '--path',
        '/users/7',
        '-o',
        'json',
      );
      assert.deepEqual([status, err], [0, '']);
      const [row] = rows(out);
      assert.equal(row?.['decision'], 'ALLOW');
      assert.equal(row['policy'], 'shop/users');
      const policies = row['policies'];
      assert.ok(Array.isArray(policies));
      assert.deepEqual(
        policies.map((one: Json) => [one['policy'], one['decided'], one['origin']]),
        [
          ['shop/allow-nothing', false, { file: 'shop/policies.yaml', line: 2 }],
          ['shop/users', true, { file: 'shop/policies.yaml', line: 73 }],
        ],
      );
    });

    it('explains a request of a file by its name, and asks for what is missing', () => {
      writeFileSync(
        join(folder, 'requests.yaml'),
        '- {name: one, destination: {namespace: shop, labels: {app: users}, port: 8080}}\n- {name: two, destination: {namespace: shop}}\n',
      );
      const { status, out } = policy(folder, 'explain', '-f', 'shop', '--requests', 'requests.yaml', '--name', 'two');
      assert.equal(status, 0);
      assert.match(out, /^Request +two: /);
      for (const [args, said] of [
        [['--to', 'shop/users'], /--from/],
        [['--from', 'shop/mobile'], /--to/],
        [['--from', 'shop/nobody', '--to', 'shop/users'], /no workload "shop\/nobody" \(there are shop\/fraud/],
        [['--from', 'shop/mobile', '--to', 'shop/users:http'], /is no port/],
        [['--requests', 'requests.yaml', '--name', 'three'], /one, two/],
        [['--requests', 'nowhere.yaml'], /nowhere\.yaml/],
        [['--from', 'shop/mobile', '--plaintext', '--to', 'shop/users'], /contradict/],
      ] as const) {
        const done = policy(folder, 'explain', '-f', 'shop', ...args);
        assert.deepEqual([done.status, done.out], [2, ''], args.join(' '));
        assert.match(done.err, said);
      }
    });
  });

  describe('test', () => {
    it('passes on the samples, with nothing untouched', () => {
      const shop = policy(ROOT, 'test', '-f', 'manifests/samples/shop');
      assert.deepEqual([shop.status, shop.err], [0, ''], shop.out);
      const bookinfo = policy(ROOT, 'test', '-f', 'manifests/samples/bookinfo', '-f', 'manifests/samples/bookinfo-rules');
      assert.deepEqual([bookinfo.status, bookinfo.err], [0, ''], bookinfo.out);
    });

    it('leaves its files out of folders that configure a mesh', () => {
      const { files } = listFiles([SHOP]);
      assert.ok(files.length > 3 && files.every((file) => !file.includes('policy-test')));
      assert.deepEqual(
        loadMesh({ paths: [SHOP] }).diagnostics.filter(({ severity }) => severity === 'error'),
        [],
      );
    });

    const failing = `tests:
- name: "a <b> & 'c' # d \\\\ e"
  from: [shop/website, shop/mobile]
  to: shop/users
  path: /users/7
  expect: ALLOW
`;

    it('fails with the explanation, in every form', () => {
      const file = join(folder, 'failing.yaml');
      writeFileSync(file, failing);
      const run = (...args: readonly string[]): Done => policy(folder, 'test', '-f', 'shop', '--tests', 'failing.yaml', ...args);
      const text = run();
      assert.equal(text.status, 1);
      assert.match(text.out, /✘ .* \(1 of 2 requests\) failing\.yaml:2/);
      assert.match(text.out, /expected ALLOW, got DENY/);
      assert.match(text.out, /one condition is missing: from\[0\] principals/);
      assert.match(text.err, /AuthorizationPolicy shop\/fraud: no test is about a workload that it applies to/);

      const tap = run('-o', 'tap');
      assert.equal(tap.status, 1);
      assert.match(
        tap.out,
        /^TAP version 14\n1\.\.2\nnot ok 1 - a <b> & 'c' \\# d \\\\ e: shop\/website -> shop\/users GET \/users\/7\n {2}---\n/,
      );
      const diagnostic: unknown = parse(/ {2}---\n(.*?) {2}\.\.\.\n/s.exec(tap.out)?.[1] ?? '');
      assert.equal((diagnostic as Json)['message'], 'expected ALLOW, got DENY');

      const junit = run('-o', 'junit');
      assert.match(junit.out, /<testsuites name="gatehouse policy test" tests="2" failures="1" errors="0">/);
      assert.match(junit.out, /name="a &lt;b&gt; &amp; 'c' # d \\ e: shop\/website -&gt; shop\/users/);
      const elements = [...junit.out.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)];
      const open: string[] = [];
      for (const [, closes, name = '', empty] of elements) {
        if (closes === '/') assert.equal(open.pop(), name);
        else if (empty !== '/') open.push(name);
      }
      assert.deepEqual(open, []);

      const json = run('-o', 'json', '--output-file', 'out.json');
      assert.match(json.out, /1 tests, 2 requests: 1 passed, 1 failed/);
      const written = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as Json;
      assert.deepEqual([written['passed'], written['failed']], [1, 1]);
    });

    it('refuses what it cannot read, and says where', () => {
      const wrong = [
        [
          'tests:\n- name: a\n  to: shop/users\n  expect: PERHAPS',
          /wrong\.yaml:2: error: tests\[0\]\.expect: must be ALLOW or DENY/,
        ],
        ['tests:\n- {name: a, from: shop/none, to: shop/users, expect: DENY}', /no workload "shop\/none"/],
        ['a: [', /wrong\.yaml: error/],
      ] as const;
      for (const [text, said] of wrong) {
        writeFileSync(join(folder, 'wrong.yaml'), text);
        const { status, out, err } = policy(folder, 'test', '-f', 'shop', '--tests', 'wrong.yaml');
        assert.deepEqual([status, out], [2, ''], text);
        assert.match(err, said);
      }
      mkdirSync(join(folder, 'empty'), { recursive: true });
      assert.equal(policy(folder, 'test', '-f', 'empty').status, 2);
      assert.equal(policy(folder, 'test', '-f', 'shop', '--tests', 'nowhere').status, 2);
    });
  });

  describe('who-can', () => {
    it('prints rows whose examples policy check allows', () => {
      const { status, out, err } = policy(folder, 'who-can', '-f', 'shop', '-o', 'json');
      assert.deepEqual([status, err], [0, '']);
      const all = rows(out);
      assert.equal(all.length, 6);
      writeFileSync(join(folder, 'examples.json'), JSON.stringify(all.map((row) => row['example'])));
      const checked = policy(folder, 'check', '-f', 'shop', '--requests', 'examples.json', '-o', 'json');
      assert.deepEqual([...new Set(rows(checked.out).map(({ decision }) => decision))], ['ALLOW']);
    });

    it('says nobody, and refuses who is not there', () => {
      assert.match(policy(folder, 'who-can', '-f', 'shop', '--to', 'shop/users', '--path', '/admin').out, /nobody/);
      assert.equal(policy(folder, 'who-can', '-f', 'shop', '--from', 'shop/website').out, 'nothing\n');
      assert.equal(policy(folder, 'who-can', '-f', 'shop', '--to', 'shop/none').status, 2);
      assert.equal(policy(folder, 'who-can', '-f', 'shop', '--from', 'none').status, 2);
    });

    it('knows workloads by their labels where only policies are given', () => {
      const { status, out } = policy(folder, 'who-can', '-f', 'shop/policies.yaml', '--to', 'shop/(app=users)');
      assert.equal(status, 0);
      assert.match(out, /any port \(HTTP\), mutual TLS PERMISSIVE/);
      assert.match(out, /shop\/users rule 0/);
    });
  });

  describe('diff', () => {
    before(() => {
      cpSync(join(folder, 'shop'), join(folder, 'after'), { recursive: true });
      const file = join(folder, 'after', 'policies.yaml');
      writeFileSync(file, readFileSync(file, 'utf8').replace('sa/rewards', 'sa/website'));
    });

    it('prints what changed, with examples that policy check decides otherwise', () => {
      const { status, out } = policy(folder, 'diff', '--before', 'shop', '--after', 'after', '-o', 'json');
      assert.equal(status, 0);
      const { changes } = JSON.parse(out) as { readonly changes: readonly Json[] };
      assert.deepEqual(
        changes.map(({ change }) => change),
        ['denied', 'allowed'],
      );
      const sides = changes.map(({ example }) => example as { readonly before: Json; readonly after: Json });
      for (const side of ['before', 'after'] as const) {
        writeFileSync(join(folder, 'examples.json'), JSON.stringify(sides.map((one) => one[side]['request'])));
        const mesh = side === 'before' ? 'shop' : 'after';
        const checked = policy(folder, 'check', '-f', mesh, '--requests', 'examples.json', '-o', 'json');
        assert.deepEqual(
          rows(checked.out).map(({ decision }) => decision),
          side === 'before' ? ['ALLOW', 'DENY'] : ['DENY', 'ALLOW'],
        );
      }
    });

    it('ends as git diff does', () => {
      assert.equal(policy(folder, 'diff', '--before', 'shop', '--after', 'after', '--exit-code').status, 1);
      const same = policy(folder, 'diff', '--before', 'shop', '--after', 'shop', '--exit-code');
      assert.deepEqual([same.status, same.out], [0, 'access is the same\n']);
      assert.equal(policy(folder, 'diff', '--before', 'shop').status, 2);
    });

    it('tells of workloads that come, go or run as somebody else, and of plain text cut off', () => {
      cpSync(join(folder, 'shop'), join(folder, 'moved'), { recursive: true });
      const file = join(folder, 'moved', 'shop.yaml');
      writeFileSync(file, readFileSync(file, 'utf8').replace('serviceAccountName: mobile', 'serviceAccountName: support'));
      rmSync(join(folder, 'moved', 'policies.yaml'));
      writeFileSync(join(folder, 'moved', 'strict-mtls.yaml'), '');
      const { out, err } = policy(folder, 'diff', '--before', 'moved', '--after', 'shop', '-o', 'yaml');
      assert.match(err, /note: shop\/mobile runs as mobile now, and ran as support/);
      const { changes } = parse(out) as { readonly changes: readonly Json[] };
      assert.ok(changes.some(({ from }) => JSON.stringify(from).includes('plain-text')));
      assert.ok(changes.every(({ confirmed }) => confirmed === true));
    });
  });
});
