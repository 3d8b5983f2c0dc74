// `npm test`: set-up, build, lint of import directions and types, then mocha; the last line is `N passed, N failed, N skipped`.
// Arguments go on to mocha (npm test -- --grep rotation); --coverage measures with c8.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './toolchain.mjs';

const { node, env } = build();
const args = process.argv.slice(2);
const coverage = args.includes('--coverage');
const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...args.filter((arg) => arg !== '--coverage')];
const c8 = [join(root, 'node_modules', 'c8', 'bin', 'c8.js'), node];
const done = spawnSync(node, ['--disable-warning=ExperimentalWarning', ...(coverage ? c8 : []), ...mocha], {
  cwd: root,
  stdio: 'inherit',
  env,
});
process.exit(done.status ?? 1);
