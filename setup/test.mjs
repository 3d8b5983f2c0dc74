// `npm test`: set-up, build, lint of import directions and types, then mocha; the last line is `N passed, N failed, N skipped`.
// Arguments go on to mocha (npm test -- --grep rotation); --coverage measures with c8. All tests together run in two parts side by side
// where that is possible; GATEHOUSE_TEST_PARTS=1: one after the other. GATEHOUSE_TEST_SECONDS=FILE: which files take how long.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { runParts } from './parts.mjs';
import { root } from './toolchain.mjs';

const { node, env } = build();
const args = process.argv.slice(2);
const coverage = args.includes('--coverage');
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const inParts = args.length === 0 ? await runParts({ node, mocha, root, env }) : undefined;

function inOne() {
  const command = [mocha, ...args.filter((arg) => arg !== '--coverage')];
  const c8 = [join(root, 'node_modules', 'c8', 'bin', 'c8.js'), node];
  const flags = ['--disable-warning=ExperimentalWarning', ...(coverage ? c8 : []), ...command];
  return spawnSync(node, flags, { cwd: root, stdio: 'inherit', env }).status ?? 1;
}

process.exit(inParts ?? inOne());
