#!/usr/bin/env node
// The `gatehouse` bin in a checkout: runs dist/cli/main.js on a Node that can, with Envoy's path in the environment.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, toolchain } from './toolchain.mjs';

const main = join(root, 'dist', 'cli', 'main.js');
if (!existsSync(main)) {
  process.stderr.write('gatehouse is not built here (run: npm run build)\n');
  process.exit(2);
}
const { node, env } = toolchain();
const child = spawn(node, ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)], { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
