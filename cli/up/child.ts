import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { restartDelay, WELL_AFTER_MS } from '../../sds/envoy/restart.ts';

export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

export interface ChildEvents {
  readonly onLine?: (line: string) => void;
  readonly onStart?: (pid: number) => void;
  /** `restartMs` is absent when it was told to stop. */
  readonly onExit?: (how: {
    readonly code: number | null;
    readonly signal: string | null;
    readonly restartMs: number | undefined;
  }) => void;
}

const WORDS_KEPT = 2000;

/**
 * A process that is started again with back-off whenever it ends, until told to stop. It has a process group of its own,
 * so that Ctrl-C in a terminal reaches `up` alone, and the group goes as a whole in the end. Output is appended to `log`.
 */
export class Child {
  readonly #command: () => ChildCommand;
  readonly #log: string;
  readonly #events: ChildEvents;
  readonly #graceMs: number;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #exits = 0;
  #stopping = false;

  /** @param command asked before each start */
  constructor(command: () => ChildCommand, log: string, graceMs: number, events: ChildEvents = {}) {
    this.#command = command;
    this.#log = log;
    this.#graceMs = graceMs;
    this.#events = events;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The end of what it wrote, for messages. */
  lastWords(): string {
    try {
      return readFileSync(this.#log, 'utf8').slice(-WORDS_KEPT).trim();
    } catch {
      return '';
    }
  }

  start(): void {
    if (this.#process !== undefined || this.#stopping) return;
    const { file, args, cwd, env } = this.#command();
    const log = openSync(this.#log, 'a', 0o600);
    const startedAt = performance.now();
    const { onLine } = this.#events;
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', onLine === undefined ? log : 'pipe', log] });
    closeSync(log);
    this.#process = child;
    if (onLine !== undefined && child.stdout !== null) createInterface({ input: child.stdout }).on('line', onLine);
    this.#ended = new Promise((resolve) => {
      let over = false;
      const end = (code: number | null, signal: string | null) => {
        if (over) return;
        over = true;
        this.#afterEnd(child, startedAt, code, signal);
        resolve();
      };
      child.once('error', () => end(null, null));
      child.once('exit', end);
    });
    if (child.pid !== undefined) this.#events.onStart?.(child.pid);
  }

  /** SIGTERM, then SIGKILL to the whole group after the grace. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(child), this.#graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #afterEnd(child: ChildProcess, startedAt: number, code: number | null, signal: string | null): void {
    this.#process = undefined;
    killGroup(child);
    if (this.#stopping) {
      this.#events.onExit?.({ code, signal, restartMs: undefined });
      return;
    }
    this.#exits = performance.now() - startedAt > WELL_AFTER_MS ? 1 : this.#exits + 1;
    const restartMs = restartDelay(this.#exits, Math.random);
    this.#restart = setTimeout(() => this.start(), restartMs);
    this.#events.onExit?.({ code, signal, restartMs });
  }
}

/** What is left of a process group that began with `child`. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}
