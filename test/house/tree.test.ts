import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((name) => name !== '');

describe('the tree', () => {
  it('has no source file over 500 lines', () => {
    const long = tracked
      .filter((name) => /\.(ts|mjs)$/.test(name))
      .map((name) => ({ name, lines: readFileSync(`${root}/${name}`, 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 500);
    assert.deepEqual(long, []);
  });

  it('has no name that tells no one what is inside', () => {
    const vague = tracked.filter((name) => /(^|\/)(utils?|helpers?|common|misc|managers?)(\/|\.[a-z]+$)/i.test(name));
    assert.deepEqual(vague, []);
  });

  it('keeps no third-party proto or CRD and no generated code', () => {
    const foreign = tracked.filter((name) => (name.endsWith('.proto') && !name.startsWith('setup/proto/gatehouse/')) || /^(gen|dist)\//.test(name));
    assert.deepEqual(foreign, []);
  });

  it('keeps no private key', () => {
    const marker = ['-----BEGIN', 'PRIVATE KEY-----'];
    const keys = tracked.filter((name) => {
      const text = readFileSync(`${root}/${name}`, 'latin1');
      return new RegExp(`${marker[0]} (EC |RSA )?${marker[1]}\\s+[A-Za-z0-9+/]{40}`).test(text);
    });
    assert.deepEqual(keys, []);
  });
});
