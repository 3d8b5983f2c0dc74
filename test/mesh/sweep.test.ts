import assert from 'node:assert/strict';
import { rmSync, utimesSync } from 'node:fs';
import { type Extent } from '../../mesh/source/watched-files.ts';
import { LiveMesh, type Scan } from '../../mesh/source/live-mesh.ts';
import { TestFolder } from './folder.ts';

const NAMES = ['a', 'b', 'c/d', 'c/e', 'f', 'g', 'h'];

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name.replace('/', '-')}}\nspec: {selector: {app: a}, ports: [{name: http, port: ${port}}]}\n`;

describe('a look at files of which nobody told', () => {
  let folder: TestFolder;
  let mesh: LiveMesh;
  let clock: number;
  const scan = (extent?: Extent): Scan => mesh.scan((clock += 60_000), 0, extent);
  const next = (files: number): Scan => scan({ entries: new Set(), next: files });

  beforeEach(() => {
    folder = new TestFolder();
    for (const name of NAMES) folder.write(`mesh/${name}.yaml`, service(name));
    // Folders that were written long ago are not read again.
    for (const path of ['mesh', 'mesh/c']) utimesSync(folder.at(path), 1, 1);
    mesh = new LiveMesh({ paths: [folder.at('mesh')] });
    clock = Date.now();
    scan();
  });
  afterEach(() => folder.dispose());

  for (const name of NAMES)
    it(`finds what ${name}.yaml says within one round`, () => {
      folder.write(`mesh/${name}.yaml`, service(name, 81));
      const found: string[] = [];
      for (let look = 0; look < Math.ceil(NAMES.length / 3); look++) found.push(...next(3).untold);
      assert.deepEqual(found, [folder.at(`mesh/${name}.yaml`)]);
      assert.equal(mesh.snapshot?.services.filter(({ ports }) => ports[0]?.port === 81).length, 1);
    });

  it('finds at once what came and what went', () => {
    folder.write('mesh/c/new.yaml', service('new'));
    rmSync(folder.at('mesh/b.yaml'));
    const { untold } = next(0);
    assert.deepEqual([...untold].sort(), [folder.at('mesh/b.yaml'), folder.at('mesh/c/new.yaml')]);
    assert.equal(mesh.snapshot?.services.length, NAMES.length);
  });

  it('finds nothing where nothing changed, and tells apart what it was told', () => {
    for (let look = 0; look < 6; look++) assert.deepEqual(next(3).untold, []);
    folder.write('mesh/a.yaml', service('a', 81));
    const { snapshot, untold } = scan({ entries: new Set([folder.at('mesh/a.yaml')]), next: 100 });
    assert.deepEqual(untold, []);
    assert.ok(snapshot !== undefined);
  });
});
