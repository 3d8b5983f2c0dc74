// `gatehouse agent` as a process of its own, on a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Context } from 'mocha';
import type { AgentEvent } from '../../sds/agent/event.ts';
import { startTimeOf } from '../../sds/envoy/process.ts';
import { eventually } from '../eventually.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

type Named<E extends AgentEvent['event']> = Extract<AgentEvent, { readonly event: E }>;

/** The real Envoy, or a test skipped by name; with CI set its absence is a failure. */
export function envoyBinary(test: Context): string {
  const path = process.env['GATEHOUSE_ENVOY'];
  if (path !== undefined && path !== '') return path;
  if (process.env['CI'] !== undefined) throw new Error('GATEHOUSE_ENVOY is not set: there is no Envoy to test with');
  return test.skip();
}

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that Envoys of other users can pass through: their own is inside. Removed when the tests end. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-sds-'));
  folders.push(folder);
  return folder;
}

export class RunningAgent {
  readonly events: AgentEvent[] = [];
  readonly folder: string;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  stderr = '';

  private constructor(folder: string, env: NodeJS.ProcessEnv, command: readonly string[]) {
    this.folder = folder;
    const program = `import { agentCommand } from ${JSON.stringify(pathToFileURL(join(root, 'cli', 'agent.ts')).href)};
      await agentCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program, '--'];
    const args = [
      '--config',
      join(folder, 'agent.yaml'),
      '--log-level',
      'debug',
      ...(command.length > 0 ? ['--', ...command] : []),
    ];
    this.process = spawn(process.execPath, [...flags, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: root, env });
    const { stdout, stderr } = this.process;
    if (stdout === null || stderr === null) throw new Error('no pipes');
    createInterface({ input: stdout }).on('line', (line) => {
      const event: AgentEvent = JSON.parse(line);
      this.events.push(event);
    });
    stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => this.process.once('close', (code) => resolve(code)));
  }

  static start(
    folder: string,
    config: unknown,
    env: NodeJS.ProcessEnv = process.env,
    command: readonly string[] = [],
  ): RunningAgent {
    writeConfig(folder, config);
    return new RunningAgent(folder, env, command);
  }

  all<E extends AgentEvent['event']>(name: E): readonly Named<E>[] {
    return this.events.filter((event): event is Named<E> => event.event === name);
  }

  /** Waits for the `count`th event of a name that fits. */
  async event<E extends AgentEvent['event']>(
    name: E,
    fits: (event: Named<E>) => boolean = () => true,
    count = 1,
    ms = 15_000,
  ): Promise<Named<E>> {
    try {
      return await eventually(`event ${name}`, () => this.all(name).filter(fits)[count - 1], ms);
    } catch (error) {
      const lines = this.events.map((event) => JSON.stringify(event)).join('\n');
      throw new Error(`${String(error)}\n${lines}\n${this.stderr.slice(-3000)}`, { cause: error });
    }
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Replaces the configuration as a whole, as editors and Kubernetes do. */
export function writeConfig(folder: string, config: unknown): void {
  writeFileSync(join(folder, 'agent.yaml.new'), JSON.stringify(config, null, 2));
  renameSync(join(folder, 'agent.yaml.new'), join(folder, 'agent.yaml'));
}

export function alive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Alive and no zombie: where nobody reaps orphans, their ids stay. */
export function running(pid: number | undefined): boolean {
  return pid !== undefined && startTimeOf(pid) !== undefined;
}
