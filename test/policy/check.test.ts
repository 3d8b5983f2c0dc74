import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../cli/policy.ts', import.meta.url));

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  rules:
  - from: [{source: {principals: [mesh.example/ns/shop/sa/cart]}}]
`;
const REQUESTS = `- name: cart
  source: {principal: mesh.example/ns/shop/sa/cart}
  destination: {namespace: shop, labels: {app: web}, port: 8080}
- name: nobody
  destination: {namespace: shop, labels: {app: web}, port: 8080}
`;

describe('gatehouse policy check', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-check-'));
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    writeFileSync(join(folder, 'requests.yaml'), REQUESTS);
    writeFileSync(join(folder, 'mesh.conf'), 'trustDomain: mesh.example\n');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function check(...args: readonly string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
    const run = `import { policyCommand } from ${JSON.stringify(COMMAND)}; await policyCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', run, '--'];
    const done = spawnSync(process.execPath, [...flags, 'check', ...args], { cwd: folder, encoding: 'utf8' });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }

  it('prints a list of answers', () => {
    const { status, out, err } = check(
      '-f',
      'policy.yaml',
      '--requests',
      'requests.yaml',
      '--mesh-config',
      'mesh.conf',
      '-o',
      'json',
    );
    assert.deepEqual([status, err], [0, '']);
    const answers: unknown = JSON.parse(out);
    assert.ok(Array.isArray(answers));
    assert.deepEqual(answers[0], {
      name: 'cart',
      decision: 'ALLOW',
      policy: 'shop/web',
      rule: 0,
      reason: 'an ALLOW rule matches: shop/web rule 0',
    });
    assert.equal(answers.length, 2);
  });

  it('prints a table', () => {
    const { status, out } = check('-f', 'policy.yaml', '--requests', 'requests.yaml');
    assert.equal(status, 0);
    assert.match(out, /nobody .*DENY/);
  });

  it('ends with 1 when the configuration has an error, and says where', () => {
    writeFileSync(join(folder, 'bad.yaml'), POLICY.replace('selector', 'selectr'));
    const { status, out, err } = check('-f', 'bad.yaml', '--requests', 'requests.yaml', '-o', 'json');
    assert.equal(status, 1);
    assert.match(err, /bad\.yaml:5: error: .*selectr/);
    assert.equal((JSON.parse(out) as readonly unknown[]).length, 2);
  });

  it('decides nothing by a mesh configuration that it cannot read', () => {
    writeFileSync(join(folder, 'bad.conf'), 'trustDomain: [1]\n');
    const { status, out } = check('-f', 'policy.yaml', '--requests', 'requests.yaml', '--mesh-config', 'bad.conf');
    assert.deepEqual([status, out], [1, '']);
  });

  it('ends with 2 when the requests cannot be read', () => {
    writeFileSync(join(folder, 'not.yaml'), 'just text');
    for (const file of ['not.yaml', 'nowhere.yaml']) {
      const { status, out, err } = check('-f', 'policy.yaml', '--requests', file);
      assert.deepEqual([status, out], [2, '']);
      assert.ok(err.includes(file));
    }
  });
});
