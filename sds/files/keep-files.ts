import { execFile } from 'node:child_process';
import type { Random, Timers } from '../clock.ts';
import type { Owner } from '../server/socket.ts';
import { type FileSet, writeSet } from './output.ts';

export interface FilesConfig {
  /** Where the files go; the agent's own folder. */
  readonly dir: string;
  /** Who may read them, where that is another user. */
  readonly owner?: Owner | undefined;
  /** Run after each replacement, without a shell: program and arguments. */
  readonly reload: readonly string[];
}

export interface FilesSurroundings {
  readonly timers: Timers;
  readonly random: Random;
  readonly onWritten: () => void;
  /** `retryMs` is absent where it is not tried again: a reload command that failed. */
  readonly onFailed: (reason: string, retryMs: number | undefined) => void;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
const RELOAD_MS = 30_000;

/**
 * Keeps a workload's certificate in files. One write at a time, the newest set always last; a write that fails is tried again
 * until it works or a newer set comes. Never in the way of SDS: who has a full disk still gets certificates over the socket.
 */
export class KeptFiles {
  readonly #config: FilesConfig;
  readonly #around: FilesSurroundings;
  #wanted: FileSet | undefined;
  #busy: Promise<void> | undefined;
  #cancelRetry: () => void = () => {};
  #failures = 0;
  #ended = false;
  readonly #endReload = new AbortController();

  constructor(config: FilesConfig, around: FilesSurroundings) {
    this.#config = config;
    this.#around = around;
  }

  put(set: FileSet): void {
    this.#wanted = set;
    this.#begin();
  }

  /** The files stay; a reload command that still runs is ended. Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#endReload.abort();
    this.#cancelRetry();
    await this.#busy;
  }

  #begin(): void {
    if (this.#ended || this.#busy !== undefined) return;
    this.#cancelRetry();
    this.#busy = this.#work().finally(() => {
      this.#busy = undefined;
    });
  }

  async #work(): Promise<void> {
    for (let set = this.#wanted; set !== undefined && !this.#ended; set = this.#wanted) {
      try {
        await writeSet(this.#config.dir, set, this.#config.owner);
      } catch (error) {
        this.#failures += 1;
        const most = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 10));
        const retryMs = Math.ceil(most / 2 + (most / 2) * this.#around.random());
        this.#around.onFailed(error instanceof Error ? error.message : String(error), retryMs);
        if (!this.#ended) this.#cancelRetry = this.#around.timers.after(retryMs, () => this.#begin());
        return;
      }
      this.#failures = 0;
      // A newer one that came meanwhile is written before anybody is told.
      if (this.#wanted !== set) continue;
      this.#wanted = undefined;
      this.#around.onWritten();
      await this.#reload();
    }
  }

  async #reload(): Promise<void> {
    const [program, ...args] = this.#config.reload;
    if (program === undefined) return;
    const reason = await new Promise<string | undefined>((resolve) => {
      execFile(program, args, { timeout: RELOAD_MS, maxBuffer: 1 << 20, signal: this.#endReload.signal }, (error, _, stderr) => {
        if (error === null || this.#ended) resolve(undefined);
        else
          resolve(
            `reload command: ${error.killed === true ? `ended after ${RELOAD_MS / 1000} s` : stderr.trim().slice(-300) || error.message}`,
          );
      });
    });
    if (reason !== undefined) this.#around.onFailed(reason, undefined);
  }
}
