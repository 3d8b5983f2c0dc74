import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../cli/version.ts';
import { root } from '../house/repository.ts';

describe('the version of the command', () => {
  it('is that of package.json', () => {
    const { version: packaged }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.equal(version, packaged);
  });
});
