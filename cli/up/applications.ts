import { join } from 'node:path';
import type { Capture } from './capture.ts';
import { Child } from './child.ts';
import { findExecutable } from './executable.ts';
import type { Output } from './output.ts';
import { type Pod, podKey } from './pod.ts';

const GRACE_MS = 3000;

/** The applications of pods, each started again when it ends. */
export class Applications {
  readonly #capture: Capture;
  readonly #logs: string;
  readonly #output: Output;
  readonly #onPids: () => void;
  readonly #running = new Map<string, Child>();

  constructor(capture: Capture, logs: string, output: Output, onPids: () => void) {
    this.#capture = capture;
    this.#logs = logs;
    this.#output = output;
    this.#onPids = onPids;
  }

  pid(key: string): number | undefined {
    return this.#running.get(key)?.pid;
  }

  pids(): readonly number[] {
    return [...this.#running.values()].flatMap((child) => child.pid ?? []);
  }

  start(pod: Pod): void {
    const { application } = pod;
    if (application === undefined) return;
    const key = podKey(pod);
    const [name = '', ...args] = application.command;
    // `node` is the Node that runs gatehouse, so that samples run where none is on the PATH.
    const file = name === 'node' ? process.execPath : findExecutable(name);
    if (file === undefined) {
      this.#output.problem(`${key}: there is no command ${name} (write its path in --image)`);
      return;
    }
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...application.env };
    const command = this.#capture.command(pod, { file, args, cwd: application.cwd, env });
    const log = join(this.#logs, `${pod.namespace}.${pod.name}.log`);
    const child: Child = new Child(() => command, log, GRACE_MS, {
      onStart: () => this.#onPids(),
      onExit: ({ code, signal, restartMs }) => {
        if (restartMs === undefined) return;
        if (pod.owner?.kind === 'Job' && code === 0) {
          // It is done, and does not begin again.
          void child.stop();
          return;
        }
        const how = signal ?? `code ${String(code)}`;
        const words = child.lastWords().split('\n').at(-1) ?? '';
        this.#output.problem(
          `${key}: the application ended with ${how}; again in ${restartMs} ms${words === '' ? '' : ` (${words})`}`,
        );
        this.#output.event({
          event: 'application-exit',
          workload: `${pod.namespace}/${pod.workload}`,
          pod: pod.name,
          code,
          signal,
          restartMs,
        });
      },
    });
    this.#running.set(key, child);
    child.start();
  }

  async stop(key: string): Promise<void> {
    const child = this.#running.get(key);
    this.#running.delete(key);
    await child?.stop();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((key) => this.stop(key)));
  }
}
