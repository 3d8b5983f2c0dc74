import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { withLock } from '../../cli/input/lock.ts';
import { runCommand as run } from '../cli/run-command.ts';
import { TestFolder } from './folder.ts';

const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
`;

describe('commands that change a folder', () => {
  let folder: TestFolder;
  let dir: readonly string[];
  beforeEach(() => {
    folder = new TestFolder();
    dir = ['--dir', folder.at('mesh')];
  });
  afterEach(() => folder.dispose());

  it('apply creates, leaves alone and configures; each object in a file of its own', async () => {
    const input = folder.write('in.yaml', ROUTE);
    assert.deepEqual(await run('apply', '-f', input, ...dir), {
      code: 0,
      out: 'virtualservice.networking.istio.io/reviews created\n',
      err: '',
    });
    assert.match(
      readFileSync(folder.at('mesh/default/virtualservice-reviews.yaml'), 'utf8'),
      /name: reviews\n {2}namespace: default/,
    );
    assert.equal((await run('apply', '-f', input, ...dir)).out, 'virtualservice.networking.istio.io/reviews unchanged\n');
    folder.write('in.yaml', ROUTE.replace('http: [{', 'http: [{timeout: 3s, '));
    assert.equal((await run('apply', '-f', input, ...dir)).out, 'virtualservice.networking.istio.io/reviews configured\n');
    assert.match((await run('get', 'vs', 'reviews', '-o', 'yaml', ...dir)).out, /timeout: 3s/);
  });

  it('an object that is in a file is changed there, with its comments and its neighbours kept', async () => {
    const before = `# services\napiVersion: v1\nkind: Service\nmetadata: {name: reviews}   # ours\nspec: {ports: [{port: 80}]}\n---\n# the route\n${ROUTE.replace('hosts: [reviews]', 'hosts: [reviews] # short')}---\n# last\napiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n`;
    const file = folder.write('mesh/all.yaml', before);
    const input = folder.write('in.yaml', ROUTE.replace('http: [{', 'http: [{timeout: 3s, '));
    assert.equal((await run('apply', '-f', input, ...dir)).code, 0);
    const after = readFileSync(file, 'utf8');
    assert.ok(after.startsWith(before.slice(0, before.indexOf('# the route'))), after);
    assert.match(after, /# the route\n[^]*# short\n[^]*timeout: 3s[^]*\n---\n# last\n/);
    assert.equal((await run('delete', 'vs', 'reviews', ...dir)).out, 'virtualservice.networking.istio.io/reviews deleted\n');
    assert.ok(!readFileSync(file, 'utf8').includes('VirtualService') && readFileSync(file, 'utf8').includes('# last'));
  });

  it('create refuses what is there, replace and delete what is not; nothing is changed', async () => {
    const input = folder.write('in.yaml', ROUTE);
    assert.match((await run('replace', '-f', input, ...dir)).err, /VirtualService default\/reviews not found/);
    assert.equal((await run('create', '-f', input, ...dir)).code, 0);
    folder.write('in.yaml', `${ROUTE}---\n${ROUTE.replace('name: reviews', 'name: other')}`);
    const again = await run('create', '-f', input, ...dir);
    assert.deepEqual([again.code, again.out], [1, '']);
    assert.match(again.err, /already exists[^]*nothing was changed/);
    assert.deepEqual(readdirSync(folder.at('mesh/default')), ['virtualservice-reviews.yaml']);
    assert.equal(
      (await run('replace', '-f', folder.write('one.yaml', ROUTE), ...dir)).out,
      'virtualservice.networking.istio.io/reviews replaced\n',
    );
    assert.equal((await run('delete', 'dr', 'reviews', ...dir)).code, 1);
    assert.equal((await run('delete', 'dr', 'reviews', '--ignore-not-found', ...dir)).code, 0);
    assert.equal((await run('delete', '-f', folder.at('one.yaml'), ...dir)).code, 0);
    assert.ok(!existsSync(folder.at('mesh/default/virtualservice-reviews.yaml')));
  });

  it('wrong input changes nothing', async () => {
    const input = folder.write(
      'in.yaml',
      `${ROUTE}---\n${ROUTE.replace('name: reviews', 'name: other').replace('hosts', 'hoosts')}`,
    );
    const { code, err } = await run('apply', '-f', input, ...dir);
    assert.equal(code, 1);
    assert.match(
      err,
      /in\.yaml:12: error: VirtualService default\/other spec\.hoosts: unknown field "hoosts" \(did you mean hosts\?\)/,
    );
    assert.ok(!existsSync(folder.at('mesh/default')));
    const stray = folder.write('stray.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: ../../etc}\n');
    assert.equal((await run('apply', '-f', stray, ...dir)).code, 1);
  });

  it('respects namespaces', async () => {
    const input = folder.write('in.yaml', ROUTE);
    assert.equal((await run('apply', '-f', input, '-n', 'shop', ...dir)).code, 0);
    assert.ok(existsSync(folder.at('mesh/shop/virtualservice-reviews.yaml')));
    assert.match((await run('get', 'vs', ...dir)).err, /No resources found in default namespace/);
    assert.equal((await run('get', 'vs', '-A', '-o', 'name', ...dir)).out, 'virtualservice.networking.istio.io/reviews\n');
    assert.match((await run('apply', '-f', folder.at('mesh'), '-n', 'other', ...dir)).err, /is of namespace shop, not other/);
  });

  it('takes an object out of a List', async () => {
    folder.write(
      'mesh/list.yaml',
      'apiVersion: v1\nkind: List\nitems:\n# a\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n# b\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n',
    );
    assert.equal((await run('delete', 'ns', 'a', ...dir)).code, 0);
    assert.equal((await run('get', 'ns', '-o', 'name', ...dir)).out, 'namespace/b\n');
  });

  it('commands at the same time lose nothing', async () => {
    const inputs = Array.from({ length: 8 }, (_, at) =>
      folder.write(`in-${at}.yaml`, ROUTE.replace('name: reviews', `name: r${at}`)),
    );
    folder.write('mesh/.gatehouse.lock', '999999999');
    // One process cannot catch the output of several commands; the lock is what is looked at.
    let inside = 0;
    await Promise.all(
      inputs.map(async () => {
        const done = await withLock(folder.at('mesh'), 5000, () => {
          inside += 1;
          assert.equal(inside, 1);
          inside -= 1;
        });
        assert.ok(done !== undefined);
      }),
    );
    assert.ok(!existsSync(folder.at('mesh/.gatehouse.lock')));
  });
});

describe('gatehouse validate', () => {
  it('prints each diagnostic as text or as JSON lines, and exits with 1 for an error', async () => {
    const folder = new TestFolder();
    try {
      const good = folder.write('good.yaml', ROUTE);
      assert.equal((await run('validate', '-f', good)).code, 0);
      const bad = folder.write('bad.yaml', ROUTE.replace('hosts', 'hoosts'));
      const text = await run('validate', '-f', bad);
      assert.equal(text.code, 1);
      assert.ok(
        text.err.startsWith(
          `${bad}:5: error: VirtualService default/reviews spec.hoosts: unknown field "hoosts" (did you mean hosts?)\n`,
        ),
        text.err,
      );
      const lines = (await run('validate', '-f', bad, '--diagnostics', 'json')).err.trim().split('\n');
      const first: unknown = JSON.parse(lines[0] ?? '');
      assert.deepEqual(first, {
        file: bad,
        line: 5,
        object: 'VirtualService default/reviews',
        field: 'spec.hoosts',
        severity: 'error',
        code: 'unknown-field',
        message: 'unknown field "hoosts"',
        hint: 'did you mean hosts?',
      });
      const whole: unknown = JSON.parse((await run('validate', '-f', good, '-f', bad, '-o', 'json')).out);
      assert.ok(typeof whole === 'object' && whole !== null && 'valid' in whole && whole.valid === false);
    } finally {
      folder.dispose();
    }
  });
});
