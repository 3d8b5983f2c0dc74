import type { Clock, Random, Timers } from '../clock.ts';
import type { Command } from './command.ts';
import { adoptProcess, type ProcessEnd, type ProcessIdentity, type RunningProcess, spawnProcess } from './process.ts';
import { restartDelay, WELL_AFTER_MS } from './restart.ts';

export type EnvoyEvent =
  /** `adopted`: it was running already, started by an agent before us. */
  | { readonly kind: 'started'; readonly pid: number | undefined; readonly adopted: boolean }
  | { readonly kind: 'ready'; readonly afterMs: number }
  /** `restartMs` is absent when it was told to stop. `lastWords`: the end of its standard error, where it says why it will not start. */
  | {
      readonly kind: 'exit';
      readonly pid: number | undefined;
      readonly code: number | null;
      readonly signal: string | null;
      readonly lastWords: string;
      /** Whether it was told to. */
      readonly stopped: boolean;
      readonly restartMs?: number | undefined;
    };

export interface SupervisorOptions {
  readonly command: Command;
  /** Take this process over instead of starting one; further ones are started. */
  readonly adopt?: ProcessIdentity | undefined;
  /** Asked again and again until it says true. */
  readonly isLive: () => Promise<boolean>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly onEvent: (event: EnvoyEvent) => void;
  /** Whether it is started again when it ends by itself. */
  readonly restarts: boolean;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

const PROBE_MS = 100;

/** Runs one Envoy until told to stop, and starts it again with back-off whenever it ends, unless told not to. */
export class EnvoySupervisor {
  readonly #options: SupervisorOptions;
  #process: RunningProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #exits = 0;
  #stopping = false;
  #cancelRestart: () => void = () => {};
  #cancelProbe: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  start(): void {
    const { adopt, timers } = this.#options;
    if (this.#process !== undefined || this.#stopping) return;
    if (adopt === undefined) this.#launch();
    else this.#watch(adoptProcess(adopt, timers), true);
  }

  /** SIGTERM, then SIGKILL after the grace. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart();
    this.#cancelProbe();
    const running = this.#process;
    if (running === undefined) return;
    running.kill('SIGTERM');
    const cancelKill = this.#options.timers.after(this.#options.graceMs, () => running.kill('SIGKILL'));
    await this.#ended;
    cancelKill();
  }

  #launch(): void {
    this.#watch(spawnProcess(this.#options.command), false);
  }

  #watch(running: RunningProcess, adopted: boolean): void {
    const { clock, onEvent } = this.#options;
    const startedAt = clock.monotonic();
    this.#process = running;
    this.#ended = running.ended.then((end) => this.#afterEnd(running.pid, startedAt, end));
    onEvent({ kind: 'started', pid: running.pid, adopted });
    this.#probe(running, startedAt);
  }

  #afterEnd(pid: number | undefined, startedAt: number, end: ProcessEnd): void {
    const { clock, timers, random, onEvent, restarts } = this.#options;
    this.#process = undefined;
    this.#cancelProbe();
    const exit = {
      kind: 'exit',
      pid,
      code: end.code,
      signal: end.signal,
      lastWords: end.words.trim(),
      stopped: this.#stopping,
    } as const;
    if (this.#stopping || !restarts) {
      onEvent(exit);
      return;
    }
    this.#exits = clock.monotonic() - startedAt > WELL_AFTER_MS ? 1 : this.#exits + 1;
    const restartMs = restartDelay(this.#exits, random);
    this.#cancelRestart = timers.after(restartMs, () => this.#launch());
    onEvent({ ...exit, restartMs });
  }

  #probe(running: RunningProcess, startedAt: number): void {
    const { timers, isLive, clock, onEvent } = this.#options;
    const ask = async () => {
      const live = await isLive();
      if (this.#process !== running || this.#stopping) return;
      if (live) onEvent({ kind: 'ready', afterMs: Math.round(clock.monotonic() - startedAt) });
      else this.#cancelProbe = timers.after(PROBE_MS, () => void ask());
    };
    void ask();
  }
}
