/** Time as the agent sees it. Wall time dates certificates; monotonic time notices that the wall clock was moved. */
export interface Clock {
  now(): Date;
  /** Milliseconds since some fixed moment; never goes back. */
  monotonic(): number;
}

/** Timers as a parameter, so that tests drive hours in milliseconds. */
export interface Timers {
  /** Runs `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
}

/** A number in [0, 1). */
export type Random = () => number;

export const systemClock: Clock = { now: () => new Date(), monotonic: () => performance.now() };

export const systemTimers: Timers = {
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};
