import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { LiveMesh } from '../../mesh/source/live-mesh.ts';
import { TestFolder } from './folder.ts';

const SETTLE_MS = 20;

const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;

describe('a file that is being written', () => {
  let folder: TestFolder;
  let mesh: LiveMesh;
  let written: number;

  beforeEach(() => {
    folder = new TestFolder();
    folder.write('mesh/a.yaml', namespace('before'));
    mesh = new LiveMesh({ paths: [folder.at('mesh')] });
    mesh.scan(Date.now(), 0);
    written = statSync(folder.write('mesh/a.yaml', namespace('after-it'))).mtimeMs;
  });

  afterEach(() => folder.dispose());

  const names = (): readonly string[] => (mesh.snapshot?.namespaces ?? []).map(({ name }) => name);

  // A clock in whole milliseconds is behind the time stamp within the millisecond of the write.
  for (const after of [-0.9, 0, 1, SETTLE_MS - 1]) {
    it(`is not read ${String(after)} ms after the write`, () => {
      const { unsettled } = mesh.scan(written + after, SETTLE_MS);
      assert.deepEqual(names(), ['before']);
      assert.equal(unsettled, written + SETTLE_MS);
    });
  }

  it('is read at once at the start, when there is nothing older to keep', () => {
    const first = new LiveMesh({ paths: [folder.at('mesh')] }).scan(written - 0.9, 0);
    assert.deepEqual(
      first.snapshot?.namespaces.map(({ name }) => name),
      ['after-it'],
    );
  });

  it('is read once it has been quiet, and when its time stamp lies far ahead', () => {
    mesh.scan(written + SETTLE_MS, SETTLE_MS);
    assert.deepEqual(names(), ['after-it']);
    folder.write('mesh/a.yaml', namespace('at-last'));
    mesh.scan(written - 60_000, SETTLE_MS);
    assert.deepEqual(names(), ['at-last']);
  });
});
