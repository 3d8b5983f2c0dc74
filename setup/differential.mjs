// `npm run differential -- --decisions 1000000 --seed 7`: policy/evaluate against a real Envoy, with the project's Node and Envoy.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './toolchain.mjs';

const { node, env } = build();
const done = spawnSync(
  node,
  ['--disable-warning=ExperimentalWarning', join(root, 'test', 'policy', 'differential', 'main.ts'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env,
  },
);
process.exit(done.status ?? 1);
