import assert from 'node:assert/strict';
import { textOf, tracked } from './repository.ts';

const MAX_LINES = 500;
/** Written by programs, not by hand. */
const GENERATED = /^(package-lock\.json|test\/golden\/|docs\/images\/)/;

describe('the tree', () => {
  it(`has no file over ${MAX_LINES} lines`, () => {
    const long = tracked
      .filter((name) => !GENERATED.test(name))
      .map((name) => ({ name, lines: textOf(name).split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES);
    assert.deepEqual(long, []);
  });

  it('has no name that tells no one what is inside', () => {
    const vague = tracked.filter((name) => /(^|[/.-])(utils?|helpers?|commons?|misc|managers?)([/.-]|$)/i.test(name));
    assert.deepEqual(vague, []);
  });

  it('has kebab-case names', () => {
    const others = tracked.filter((name) => /\.(ts|mjs)$/.test(name) && !/^[a-z0-9./-]+$/.test(name));
    assert.deepEqual(others, []);
  });

  it('keeps no third-party proto or CRD and no generated code', () => {
    const foreign = tracked.filter(
      (name) => (name.endsWith('.proto') && !name.startsWith('setup/proto/')) || /^(gen|dist)\//.test(name),
    );
    assert.deepEqual(foreign, []);
  });

  it('keeps no private key', () => {
    const marker = ['-----BEGIN', 'PRIVATE KEY-----'];
    const keys = tracked.filter((name) =>
      new RegExp(`${marker[0]} (EC |RSA )?${marker[1]}\\s+[A-Za-z0-9+/]{40}`).test(textOf(name)),
    );
    assert.deepEqual(keys, []);
  });

  it('names no path of the machine it was written on, and pins no registry', () => {
    // In pieces, so that this file is not found itself.
    const paths = ['work', 'root', 'home/[a-z]+', 'opt/wheels', 'Users/[a-z]+'].map((folder) => `(?<![\\w.}$*-])/${folder}/`);
    const hosts = [
      'registry\\.npmjs',
      'registry\\.yarnpkg',
      'files\\.pythonhosted',
      'proxy\\.golang',
      'sum\\.golang',
      'deb\\.debian',
    ];
    const forbidden = new RegExp([...paths, ...hosts.map((host) => `${host}\\.`)].join('|'));
    const found = tracked.flatMap((name) =>
      textOf(name)
        .split('\n')
        .flatMap((line, index) => (forbidden.test(line) ? [`${name}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
    assert.deepEqual(found, []);
  });
});
