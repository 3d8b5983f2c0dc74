import assert from 'node:assert/strict';
import { documentsOf, loadFiles } from '../../mesh/source/load.ts';
import { parseText } from '../../mesh/source/parse.ts';
import { splitDocuments } from '../../mesh/source/split.ts';
import { valueOf } from '../../mesh/admit/node.ts';
import { TestFolder } from './folder.ts';

describe('documents', () => {
  it('splits a stream at its markers and knows the lines', () => {
    assert.deepEqual(
      splitDocuments('a: 1\n---\n\nb: 2\n--- # c\nc: 3\n').map(({ offset }) => offset),
      [0, 1, 4],
    );
    assert.equal(splitDocuments('a: |\n  ---\n  x\n').length, 1);
  });

  it('a broken document spoils no other', () => {
    const { documents, diagnostics } = documentsOf('f.yaml', 'a: 1\n---\nb: [1\n---\nc: 3\n');
    assert.deepEqual(
      documents.map(({ node }) => valueOf(node)),
      [{ a: 1 }, { c: 3 }],
    );
    assert.deepEqual(
      diagnostics.map(({ code, severity }) => `${severity} ${code}`),
      ['error bad-yaml'],
    );
    assert.ok((diagnostics[0]?.line ?? 0) >= 3);
  });

  it('a list item under a mapping that has begun gets the repair as its hint', () => {
    const { diagnostics } = documentsOf(
      'g.yaml',
      'kind: Gateway\nmetadata:\n  name: front\nspec:\n  servers:\n    hosts:\n    - "*"\n  - Port:\n      number: 80\n',
    );
    assert.equal(diagnostics[0]?.object, 'Gateway default/front');
    assert.match(diagnostics[0].hint ?? '', /servers is a list: begin its item with "- port:".* hosts beside port/);
  });

  it('objects without a marker between them are told apart, with a warning', () => {
    const { documents, diagnostics } = documentsOf(
      'f.yaml',
      '# one\napiVersion: v1\nkind: Namespace\n\napiVersion: v1\nkind: Service\n',
    );
    assert.equal(documents.length, 2);
    assert.deepEqual(
      diagnostics.map(({ line, severity, code }) => `${line} ${severity} ${code}`),
      ['5 warning missing-marker'],
    );
  });

  it('anchors and merge keys work; aliases that multiply are stopped', () => {
    assert.deepEqual(valueOf(parseText('a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n').nodes[0] ?? assert.fail()), {
      a: { k: 1, l: 2 },
      b: { k: 1, l: 3 },
    });
    const laughs = [
      'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
      ...Array.from(
        { length: 8 },
        (_, at) => `a${at + 1}: &a${at + 1} [${Array.from({ length: 10 }, () => `*a${at}`).join(', ')}]`,
      ),
    ].join('\n');
    const { nodes, problems } = parseText(laughs);
    assert.equal(nodes.length, 0);
    assert.match(problems[0]?.message ?? '', /more than 500000 values/);
    assert.match(parseText('a: &a [*a]').problems[0]?.message ?? '', /nested deeper|more than|anchor|alias/i);
    assert.equal(parseText('['.repeat(200_000)).nodes.length, 0);
  });

  it('reads YAML and JSON in folders, by name, without dotfiles', () => {
    const folder = new TestFolder();
    try {
      folder.write('b.json', '{"kind": "List", "items": []}');
      folder.write('a/x.yml', 'x: 1\n');
      folder.write('.hidden.yaml', 'y: 1\n');
      folder.write('notes.txt', 'no: 1\n');
      const { documents, diagnostics } = loadFiles([folder.path]);
      assert.deepEqual(
        documents.map(({ file }) => file),
        [folder.at('a/x.yml'), folder.at('b.json')],
      );
      assert.deepEqual(diagnostics, []);
      assert.equal(loadFiles([folder.at('none')]).diagnostics[0]?.code, 'unreadable');
      folder.write('big.yaml', `a: "${'x'.repeat(4 * 1024 * 1024)}"\n`);
      folder.write('bytes.yaml', 'ok: 1\n');
      assert.match(loadFiles([folder.at('big.yaml')]).diagnostics[0]?.message ?? '', /more than 4194304/);
    } finally {
      folder.dispose();
    }
  });
});
