import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, textOf, tracked } from './repository.ts';

describe('the documentation', () => {
  it('names in the table of README.md each folder that is there, and no other', () => {
    const named = [...textOf('README.md').matchAll(/^\| `([\w.-]+)\/` \|/gm)].map(([, folder]) => folder ?? '');
    const there = new Set(tracked.flatMap((name) => (name.includes('/') ? [name.split('/', 1)[0] ?? ''] : [])));
    assert.deepEqual(named.toSorted(), [...there].filter((folder) => !folder.startsWith('.')).toSorted());
  });

  it('links only to files that are there', () => {
    const broken = tracked
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) =>
        [...textOf(name).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
          .map(([, target]) => target ?? '')
          .filter((target) => !existsSync(join(root, dirname(name), target)))
          .map((target) => `${name}: ${target}`),
      );
    assert.deepEqual(broken, []);
  });
});
