import assert from 'node:assert/strict';
import { findings } from '../../../cli/input/findings.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { TestFolder } from '../../mesh/folder.ts';
import { DB, fromWeb, MESH, policy, PRINCIPAL, STRICT, toWeb } from './case.ts';
import { RULE_CASES } from './rule-cases.ts';
import { VALUE_CASES } from './value-cases.ts';

function found(text: string): { readonly all: readonly Diagnostic[]; readonly lines: readonly string[] } {
  const folder = new TestFolder();
  try {
    const file = folder.write('mesh.yaml', MESH + text);
    const { snapshot, written, diagnostics } = loadMesh({ paths: [file] });
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    return { all: findings(snapshot, written, new Date()), lines: (MESH + text).split('\n') };
  } finally {
    folder.dispose();
  }
}

describe('what policies do not do', () => {
  for (const { title, code, input, severity = 'warning', field, message } of [...VALUE_CASES, ...RULE_CASES]) {
    it(`${title}: ${code}`, () => {
      const { all, lines } = found(input);
      const own = all.filter((one) => one.code === code && one.object?.endsWith('/p') === true);
      assert.equal(own.length, 1, JSON.stringify(all, undefined, 1));
      const [one] = own;
      assert.ok(one !== undefined);
      assert.equal(one.field, field);
      assert.equal(one.severity, severity);
      assert.match(one.message, message);
      // The line is that of the field itself: it holds the field's name, or is the list's item.
      const name = /\["(\d+)"\]$/.exec(field)?.[1] ?? /(\w+)(?:\[\d+\])?$/.exec(field)?.[1] ?? '';
      const line = lines[one.line - 1] ?? '';
      assert.ok(line.includes(name) || line.trim().startsWith('- '), `line ${one.line}: ${line}`);
    });
  }

  it('nothing is said of a mesh whose policies do what they say', () => {
    const { all } = found(
      STRICT +
        toWeb('{methods: [GET], paths: ["/a*", "/users/{*}"], ports: ["8080"], hosts: [web, "web.shop:80"]}') +
        policy(
          `${DB}\nrules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {ports: ["5432"]}}]}]`,
          'db',
        ),
    );
    assert.deepEqual(all, []);
  });

  it('nothing is said to be missing from a fragment', () => {
    const folder = new TestFolder();
    try {
      const file = folder.write('p.yaml', fromWeb(`principals: [${PRINCIPAL}, cluster.local/ns/nowhere/sa/x]`) + STRICT);
      const { snapshot, written } = loadMesh({ paths: [file] });
      assert.deepEqual(findings(snapshot, written, new Date()), []);
    } finally {
      folder.dispose();
    }
  });
});
