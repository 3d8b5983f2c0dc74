import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { TestFolder } from '../mesh/folder.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec:
  rules:
  - to:
    - operation:
        methods:
        - get
`;

function validate(...args: readonly string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const ran = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'validate', ...args], {
    encoding: 'utf8',
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

describe('gatehouse validate', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.dispose());

  it('a warning about policy: a JSON line with the place of the value, exit 0', () => {
    const file = folder.write('p.yaml', POLICY);
    const { status, err } = validate('-f', file, '--diagnostics', 'json');
    assert.equal(status, 0);
    const lines = err
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    assert.deepEqual(lines, [
      {
        file,
        line: 9,
        object: 'AuthorizationPolicy shop/p',
        field: 'spec.rules[0].to[0].operation.methods[0]',
        severity: 'warning',
        code: 'unknown-method',
        message: '"get": methods are compared with their case; it never matches',
        hint: 'write "GET"',
      },
    ]);
  });

  it('in a list of several documents the line counts from the beginning of the file', () => {
    const file = folder.write('p.yaml', `# first\n---\n${POLICY}`);
    const { err } = validate('-f', file);
    assert.match(
      err,
      /p\.yaml:11: warning: AuthorizationPolicy shop\/p spec\.rules\[0\]\.to\[0\]\.operation\.methods\[0\]: "get"/,
    );
  });

  it('an error: exit 1, and what is found about other objects is told all the same', () => {
    folder.write('p.yaml', POLICY);
    folder.write('q.yaml', POLICY.replace('name: p', 'name: q').replace('methods:', 'method:'));
    const { status, err } = validate('-f', folder.path);
    assert.equal(status, 1);
    assert.match(err, /unknown field "method"/);
    assert.match(err, /p\.yaml:9: warning:/);
  });
});
