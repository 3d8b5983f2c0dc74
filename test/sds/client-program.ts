// Programs in other languages that use Gatehouse as any workload would.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { goProgram } from '../tools/go-program.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

/** One line of what such a program prints. */
export interface Line {
  readonly event: string;
  readonly id?: string;
  readonly serial?: string;
  readonly domain?: string;
  readonly domains?: readonly string[];
  readonly roots?: number;
  readonly keys?: number;
  readonly audience?: readonly string[];
  readonly token?: string;
  readonly seconds?: number;
  readonly cached?: boolean;
  readonly local?: string;
  readonly remote?: string;
  readonly error?: string;
  readonly serials?: number;
  readonly text?: string;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** Runs a program to its end. Rejects with what it wrote when it fails. */
export function linesOf({ command, args, cwd }: Program, ...more: readonly string[]): Promise<readonly Line[]> {
  const env = { ...process.env, GRPC_VERBOSITY: 'ERROR' };
  const child = spawn(command, [...args, ...more], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      if (code === 0) resolve(lines.map((line): Line => JSON.parse(line)));
      else reject(new Error(`${command} ended with ${String(code)}:\n${stdout}${stderr}`));
    });
  });
}

/** go-spiffe v2, or a test skipped by name where there is no Go. */
export function goSpiffe(test: Context): Program {
  const cwd = join(here, 'go-spiffe');
  return { command: goProgram(test, cwd, join(root, '.tools', 'go-spiffe-workload')), args: [], cwd };
}

/** The Python package spiffe in an environment of its own, kept for the next run; or a test skipped by name. */
export function pythonSpiffe(test: Context): Program {
  const cwd = join(here, 'python-spiffe');
  const venv = join(root, '.tools', 'python-spiffe');
  const requirements = join(cwd, 'requirements.txt');
  const stamp = join(venv, '.requirements');
  const wanted = readFileSync(requirements, 'utf8');
  const python = join(venv, 'bin', 'python');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    const problem = install(venv, requirements);
    if (problem !== undefined) {
      if (process.env['CI'] !== undefined) throw new Error(`the Python package spiffe cannot be installed:\n${problem}`);
      return test.skip();
    }
    writeFileSync(stamp, wanted);
  }
  return { command: python, args: [join(cwd, 'workload.py')], cwd };
}

function install(venv: string, requirements: string): string | undefined {
  const steps: readonly (readonly [string, ...string[]])[] = [
    ['python3', '-m', 'venv', venv],
    [join(venv, 'bin', 'pip'), 'install', '-q', '--disable-pip-version-check', '--only-binary', ':all:', '-r', requirements],
  ];
  for (const [command, ...args] of steps) {
    const done = spawnSync(command, args, { encoding: 'utf8' });
    if (done.status !== 0) return `${command} ${args.join(' ')}: ${done.error?.message ?? done.stderr}`;
  }
  return undefined;
}
