// `npm run build`: generated code, then dist/.
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { definitions } from './definitions.mjs';
import { generate } from './protos.mjs';
import { must, progress, root, toolchain } from './toolchain.mjs';

function sourceHash() {
  const listed = spawnSync(
    'sh',
    [
      '-c',
      'find ca sds policy routing mesh xds audit kubernetes cli tsconfig*.json package-lock.json -type f 2>/dev/null | sort',
    ],
    { cwd: root, encoding: 'utf8' },
  );
  const hash = createHash('sha256');
  for (const name of listed.stdout.split('\n').filter(Boolean)) hash.update(name).update(readFileSync(join(root, name)));
  return hash.digest('hex');
}

/** Builds what is out of date and returns the toolchain. */
export function build() {
  const chain = toolchain();
  generate(chain.env);
  definitions();
  const stamp = join(root, 'dist', '.stamp');
  const want = sourceHash();
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== want) {
    progress('compiling');
    // Beside the old one, which stays in use when this one has errors.
    const made = join(root, 'dist.new');
    rmSync(made, { recursive: true, force: true });
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    must(chain.node, [tsc, '-p', 'tsconfig.build.json', '--outDir', made], 'tsc', { env: chain.env });
    // What the page's browser code has besides scripts.
    const browser = join('audit', 'page', 'browser');
    for (const name of readdirSync(join(root, browser)))
      if (name.endsWith('.css')) copyFileSync(join(root, browser, name), join(made, browser, name));
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(made, join(root, 'dist'));
    writeFileSync(stamp, want);
  }
  return chain;
}

if (process.argv[1] === new URL(import.meta.url).pathname) build();
