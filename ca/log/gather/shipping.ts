import type { Logger } from 'pino';

/** How long a certificate waits for another replica to have its record on disk, in milliseconds. */
const WAIT_MS = 3_000;
/** Nobody came in time: for so long nobody is waited for. */
const ALONE_MS = 10_000;

interface Waiting {
  readonly position: number;
  readonly done: () => void;
}

/**
 * Who has how much of the own log on disk beside this replica. A certificate goes out once one of them has its record, so that a replica can be lost
 * with its disk. With none connected, or none in time, it goes out all the same: nobody must be without certificates because a neighbour is
 * slow. How often that was so is counted.
 */
export class Shipping {
  readonly #log: Logger;
  readonly #followers = new Map<object, { bytes: number; slow: boolean }>();
  #waiting: Waiting[] = [];
  #alone = 0;
  /** When one went away: it may only connect anew. */
  #leftMs = Number.NEGATIVE_INFINITY;
  readonly #monotonicMs: () => number;

  #aloneUntilMs = Number.NEGATIVE_INFINITY;
  /** The furthest that was asked for. */
  #wanted = 0;
  #expects: () => boolean = () => false;

  constructor(log: Logger, monotonicMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** Records that went out while they were on this replica's disk only. */
  get alone(): number {
    return this.#alone;
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Told by whoever knows whether there are other replicas that should follow. */
  expectedBy(expects: () => boolean): void {
    this.#expects = expects;
  }

  joined(follower: object, bytes: number): void {
    this.#followers.set(follower, { bytes, slow: false });
    this.#aloneUntilMs = Number.NEGATIVE_INFINITY;
    this.has(follower, bytes);
  }

  /** A follower has this much on its disk. */
  has(follower: object, bytes: number): void {
    const known = this.#followers.get(follower);
    if (known === undefined) return;
    known.bytes = bytes;
    if (bytes >= this.#wanted) known.slow = false;
    const done = this.#waiting.filter(({ position }) => position <= bytes);
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter(({ position }) => position > bytes);
    for (const one of done) one.done();
  }

  left(follower: object): void {
    if (this.#followers.delete(follower)) this.#leftMs = this.#monotonicMs();
  }

  /** Resolves once another replica has the log up to there, or none can be waited for. */
  covered(position: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, position);
    const all = [...this.#followers.values()];
    if (all.some(({ bytes }) => bytes >= position)) return Promise.resolve();
    const now = this.#monotonicMs();
    const comes = now - this.#leftMs < WAIT_MS || (all.length === 0 && this.#expects());
    if (all.every(({ slow }) => slow) && (!comes || now < this.#aloneUntilMs)) {
      this.#alone++;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn({ waitMs: WAIT_MS }, 'no other replica has taken records of the issuance log in time; it goes on alone');
        for (const follower of this.#followers.values()) if (follower.bytes < position) follower.slow = true;
        this.#aloneUntilMs = this.#monotonicMs() + ALONE_MS;
        this.#giveUp();
      }, WAIT_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push({ position, done });
    });
  }

  /** Whether another replica has the log up to there; true where there is none that should. */
  isCovered(position: number): boolean {
    const all = [...this.#followers.values()];
    return all.length === 0 ? !this.#expects() : all.some(({ bytes }) => bytes >= position);
  }

  #giveUp(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#alone += waiting.length;
    for (const { done } of waiting) done();
  }
}
