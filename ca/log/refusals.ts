/** Decides which refusals are written down: anyone may cause one, and a flood must not fill the disk. */
export interface RefusalBudget {
  /** The number of refusals left out since the last one written, or undefined to leave this one out too. */
  take(): number | undefined;
}

const BURST = 100;
const PER_SECOND = 10;

/** A token bucket: 100 at once, 10 a second after. */
export function refusalBudget(clock: () => Date): RefusalBudget {
  let tokens = BURST;
  let last = clock().getTime();
  let left = 0;
  return {
    take() {
      const now = clock().getTime();
      tokens = Math.min(BURST, tokens + (Math.max(0, now - last) / 1000) * PER_SECOND);
      last = now;
      if (tokens < 1) {
        left++;
        return undefined;
      }
      tokens--;
      const unlogged = left;
      left = 0;
      return unlogged;
    },
  };
}
