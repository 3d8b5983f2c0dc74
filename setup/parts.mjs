// How the whole run is divided over two cores: two parts side by side, each a mocha of its own. The second has a network namespace of its
// own, so that neither meets the other's addresses, interfaces and iptables rules; it is without the world outside, so what fetches from
// registries belongs to the first. Needs root and unshare; elsewhere there is one part. Runs on the machine's own Node, as set-up does.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

/** About half of the time of all. */
const SECOND = ['test/audit/', 'test/cli/', 'test/feature/', 'test/policy/', 'test/routing/', 'test/up/', 'test/xds/'];
/** These fetch what they run. */
const FIRST = new Set(['test/feature/traced.test.ts']);

const NAMESPACE = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up && exec "$@"';
const ISOLATED = ['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', NAMESPACE, 'sh'];

function canIsolate() {
  if (process.platform !== 'linux' || process.getuid() !== 0 || availableParallelism() < 2) return false;
  const [program, ...args] = ISOLATED;
  return spawnSync(program, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}

/** As `.mocharc.json` names them. */
function filesIn(root) {
  const files = readdirSync(join(root, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${file}`)
    .sort();
  const isSecond = (file) => !FIRST.has(file) && SECOND.some((folder) => file.startsWith(folder));
  return [files.filter((file) => !isSecond(file)), files.filter(isSecond)];
}

function run(command, options) {
  const [program, ...args] = command;
  const child = spawn(program, args, options);
  const stop = (signal) => child.kill(signal);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${program} cannot be started: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (status) => resolve(status ?? 1));
  });
}

/** What a part did; one that ended before it could say counts as failed. */
function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: [], failures: ['a part of the tests ended before its end'], seconds: {} };
  }
}

/**
 * Runs all tests in two parts, the second one's output after the first's, then what failed and what was skipped by name, and the line
 * that tools read.
 * @returns the exit status; undefined where tests can only run in one part
 */
export async function runParts({ node, mocha, root, env }) {
  if (env.GATEHOUSE_TEST_PARTS === '1' || !canIsolate()) return undefined;
  const { timeout, reporter } = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'));
  const [first, second] = filesIn(root);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'));
  const summaries = [join(folder, 'first.json'), join(folder, 'second.json')];
  const output = join(folder, 'second.log');
  const flags = ['--no-config', '--forbid-only', '--timeout', String(timeout), '--reporter', reporter];
  const command = (files) => [node, '--disable-warning=ExperimentalWarning', mocha, ...flags, ...files];
  const options = (at, out) => ({
    cwd: root,
    env: { ...env, GATEHOUSE_TEST_SUMMARY: summaries[at] },
    stdio: ['ignore', out, out],
  });
  const log = openSync(output, 'w');
  try {
    console.log(
      `tests run in two parts side by side, of ${first.length} and ${second.length} files; the second is shown after the first`,
    );
    const statuses = await Promise.all([
      run(command(first), options(0, 'inherit')),
      run([...ISOLATED, ...command(second)], options(1, log)),
    ]);
    process.stdout.write(readFileSync(output, 'utf8'));
    const [one, two] = summaries.map(readSummary);
    for (const title of [...one.failures, ...two.failures]) console.log(`failed: ${title}`);
    for (const title of [...one.skipped, ...two.skipped]) console.log(`skipped: ${title}`);
    if (env.GATEHOUSE_TEST_SECONDS !== undefined) writeSeconds(env.GATEHOUSE_TEST_SECONDS, { ...one.seconds, ...two.seconds });
    const failed = one.failed + two.failed;
    console.log(`${one.passed + two.passed} passed, ${failed} failed, ${one.skipped.length + two.skipped.length} skipped`);
    return failed > 0 || statuses.some((status) => status !== 0) ? 1 : 0;
  } finally {
    closeSync(log);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Which files take the time: for whoever divides them. */
function writeSeconds(file, seconds) {
  const out = openSync(file, 'w');
  for (const [name, spent] of Object.entries(seconds).sort(([, a], [, b]) => b - a))
    writeSync(out, `${spent.toFixed(1)} ${name}\n`);
  closeSync(out);
}
