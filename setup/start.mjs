// `npm start`: set-up, build, then the tour: a whole mesh on this machine with traffic. --once does it, checks it and ends.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './toolchain.mjs';

const { node, envoy, env } = build();
if (!envoy) process.exit(1);
const child = spawn(
  node,
  ['--disable-warning=ExperimentalWarning', join(root, 'dist', 'cli', 'main.js'), 'tour', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
child.on('exit', (code) => process.exit(code ?? 1));
