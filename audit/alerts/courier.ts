import type { Logger } from 'pino';

/** A message that waits for one webhook. */
export interface Pending {
  readonly id: string;
  readonly body: string;
  /** When it was made, in ms since the epoch. */
  readonly at: number;
}

export interface CourierOptions {
  readonly name: string;
  /** Resolves when the other side has taken it. Rejects with the reason in words that hold no secret. */
  readonly send: (message: Pending) => Promise<void>;
  /** It need not be kept any longer: it was taken, or given up. */
  readonly done: (message: Pending) => void;
  readonly clock: () => Date;
  /** Runs a task once after a time; the returned function cancels it. */
  readonly after: (ms: number, task: () => void) => () => void;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** Messages that may wait. */
  readonly most?: number;
  /** One that could not be delivered for as long is given up. */
  readonly giveUpMs?: number;
}

export interface CourierStats {
  readonly waiting: number;
  readonly delivered: number;
  readonly failedTries: number;
  /** No room, or given up. */
  readonly dropped: number;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;

/** Brings messages to one webhook, one at a time and in order; tries again with longer and longer waits. */
export class Courier {
  readonly #options: Required<CourierOptions>;
  readonly #waiting: Pending[] = [];
  #stats = { delivered: 0, failedTries: 0, dropped: 0 };
  #failures = 0;
  #busy = false;
  #closed = false;
  #cancel: (() => void) | undefined;

  constructor(options: CourierOptions) {
    this.#options = { most: 1_000, giveUpMs: 24 * 3_600_000, ...options };
  }

  get stats(): CourierStats {
    return { ...this.#stats, waiting: this.#waiting.length };
  }

  /** False: there is no room, and it is dropped. */
  take(message: Pending): boolean {
    if (this.#waiting.length >= this.#options.most) {
      this.#stats.dropped++;
      if (this.#stats.dropped === 1 || this.#stats.dropped % 100 === 0)
        this.#options.log.error(
          { webhook: this.#options.name, dropped: this.#stats.dropped },
          'alerts wait for a webhook that takes none; more are dropped',
        );
      this.#options.done(message);
      return false;
    }
    this.#waiting.push(message);
    void this.#run();
    return true;
  }

  /** What is not delivered stays where it is kept. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    // While it waits to try again, nothing overtakes.
    if (this.#busy || this.#closed || this.#cancel !== undefined) return;
    this.#busy = true;
    const { name, send, done, clock, after, random, log, giveUpMs } = this.#options;
    for (let next = this.#waiting[0]; next !== undefined && !this.#closed; next = this.#waiting[0]) {
      try {
        await send(next);
        this.#stats.delivered++;
        if (this.#failures > 0) log.info({ webhook: name }, 'the webhook takes alerts again');
        this.#failures = 0;
      } catch (error) {
        this.#stats.failedTries++;
        const reason = error instanceof Error ? error.message : String(error);
        if (this.#failures++ === 0) log.warn({ webhook: name, reason }, 'an alert could not be delivered; it is tried again');
        if (clock().getTime() - next.at < giveUpMs) {
          const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures - 1, 20));
          this.#cancel = after(wait * (0.5 + random() / 2), () => {
            this.#cancel = undefined;
            void this.#run();
          });
          break;
        }
        this.#stats.dropped++;
        log.error({ webhook: name, reason, id: next.id }, 'an alert is given up');
      }
      this.#waiting.shift();
      done(next);
    }
    this.#busy = false;
  }
}
