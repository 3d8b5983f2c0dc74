import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, Random, Timers } from '../clock.ts';
import type { Command } from './command.ts';
import { restartDelay, WELL_AFTER_MS } from './restart.ts';

export type EnvoyEvent =
  | { readonly kind: 'started'; readonly pid: number | undefined }
  | { readonly kind: 'ready'; readonly afterMs: number }
  /** `restartMs` is absent when it was told to stop. `lastWords`: the end of its standard error, where it says why it will not start. */
  | {
      readonly kind: 'exit';
      readonly code: number | null;
      readonly signal: string | null;
      readonly lastWords: string;
      readonly restartMs?: number | undefined;
    };

export interface SupervisorOptions {
  readonly command: Command;
  /** Asked again and again until it says true. */
  readonly isLive: () => Promise<boolean>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly onEvent: (event: EnvoyEvent) => void;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

const PROBE_MS = 100;
const WORDS_KEPT = 4096;

/** Runs one Envoy until told to stop, and starts it again with back-off whenever it ends. */
export class EnvoySupervisor {
  readonly #options: SupervisorOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #exits = 0;
  #stopping = false;
  #cancelRestart: () => void = () => {};
  #cancelProbe: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#child === undefined && !this.#stopping) this.#launch();
  }

  /** SIGTERM, then SIGKILL after the grace. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart();
    this.#cancelProbe();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const cancelKill = this.#options.timers.after(this.#options.graceMs, () => child.kill('SIGKILL'));
    await this.#ended;
    cancelKill();
  }

  #launch(): void {
    const { command, clock, onEvent } = this.#options;
    const startedAt = clock.monotonic();
    // The environment is not passed on: it may hold what is meant for the agent only.
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
    const child = spawn(command.file, command.args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    this.#child = child;
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-WORDS_KEPT);
    });
    this.#ended = new Promise((resolve) => {
      let over = false;
      const end = (code: number | null, signal: string | null, reason: string) => {
        if (over) return;
        over = true;
        this.#afterEnd(startedAt, code, signal, reason);
        resolve();
      };
      child.once('error', (error) => end(null, null, error.message));
      child.once('close', (code, signal) => end(code, signal, words));
    });
    onEvent({ kind: 'started', pid: child.pid });
    this.#probe(child, startedAt);
  }

  #afterEnd(startedAt: number, code: number | null, signal: string | null, words: string): void {
    const { clock, timers, random, onEvent } = this.#options;
    this.#child = undefined;
    this.#cancelProbe();
    const lastWords = words.trim();
    if (this.#stopping) {
      onEvent({ kind: 'exit', code, signal, lastWords });
      return;
    }
    this.#exits = clock.monotonic() - startedAt > WELL_AFTER_MS ? 1 : this.#exits + 1;
    const restartMs = restartDelay(this.#exits, random);
    this.#cancelRestart = timers.after(restartMs, () => this.#launch());
    onEvent({ kind: 'exit', code, signal, lastWords, restartMs });
  }

  #probe(child: ChildProcess, startedAt: number): void {
    const { timers, isLive, clock, onEvent } = this.#options;
    const ask = async () => {
      const live = await isLive();
      if (this.#child !== child || this.#stopping) return;
      if (live) onEvent({ kind: 'ready', afterMs: Math.round(clock.monotonic() - startedAt) });
      else this.#cancelProbe = timers.after(PROBE_MS, () => void ask());
    };
    void ask();
  }
}
