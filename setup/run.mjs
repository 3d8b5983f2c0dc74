// Runs a program of node_modules/.bin with the project's Node: node setup/run.mjs NAME ARGS...
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, toolchain } from './toolchain.mjs';

const [name, ...args] = process.argv.slice(2);
const { env } = toolchain();
const done = spawnSync(join(root, 'node_modules', '.bin', name), args, { cwd: root, stdio: 'inherit', env });
process.exit(done.status ?? 1);
