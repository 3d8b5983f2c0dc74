import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = ['explaining', 'testing', 'access'] as const;

/** Commands after `$ ` of a block, each with the lines that it prints. */
interface Step {
  readonly command: string;
  readonly printed: string;
}

function stepsOf(block: string): readonly Step[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return { command: part.slice(0, end), printed: part.slice(end + 1) };
    });
}

// What the pages show is what the commands print. UPDATE_GOLDEN=1 rewrites the pages.
describe('policy, the commands of docs/policy', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-docs-'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const command = `exec '${process.execPath}' --disable-warning=ExperimentalWarning '${join(ROOT, 'cli', 'main.ts')}' "$@"\n`;
    writeFileSync(join(bin, 'gatehouse'), `#!/bin/sh\n${command}`);
    chmodSync(join(bin, 'gatehouse'), 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const page of PAGES) {
    it(`${page}.md`, function () {
      this.timeout(60_000);
      const file = join(ROOT, 'docs', 'policy', `${page}.md`);
      const cwd = join(folder, page);
      mkdirSync(cwd);
      symlinkSync(join(ROOT, 'manifests'), join(cwd, 'manifests'));
      const written = readFileSync(file, 'utf8');
      let commands = 0;
      const ran = written.replace(/^```console\n(.*?)^```$/gms, (_, block: string) => {
        const steps = stepsOf(block).map(({ command }) => {
          commands += 1;
          const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' };
          const done = spawnSync('sh', ['-c', `exec 2>&1; ${command}`], { cwd, env, encoding: 'utf8' });
          assert.equal(done.error, undefined);
          return `$ ${command}\n${done.stdout}`;
        });
        return `\`\`\`console\n${steps.join('')}\`\`\``;
      });
      assert.ok(commands >= 2, `${commands} commands`);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, ran);
      else assert.equal(ran, written);
    });
  }
});
