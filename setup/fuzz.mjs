// `npm run fuzz -- --runs 100000`: mutated input for every parser of untrusted input, with the project's Node.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './toolchain.mjs';

const { node, env } = build();
const done = spawnSync(
  node,
  ['--disable-warning=ExperimentalWarning', join(root, 'test', 'fuzz', 'main.ts'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env,
  },
);
process.exit(done.status ?? 1);
