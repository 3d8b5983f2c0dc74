// `npm run lint`: types of everything including tests, oxlint with type-aware rules, formatting.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './toolchain.mjs';

const { env } = build();
const steps = [
  ['tsc', '-p', 'tsconfig.json', '--noEmit'],
  ['oxlint', '--type-aware', '--deny-warnings'],
  ['prettier', '--check', '--log-level', 'warn', '.'],
];
for (const [name, ...args] of steps) {
  const done = spawnSync(join(root, 'node_modules', '.bin', name), args, { cwd: root, stdio: 'inherit', env });
  if (done.status !== 0) process.exit(1);
}
