import type { Clock, Timers } from './clock.ts';

const LOOK_EVERY_MS = 2000;
const JUMP_MS = 2000;

/**
 * Calls back soon after the wall clock was set or the machine slept: on Linux monotonic time stands still in sleep, so that both
 * look the same, as a difference between the two times. One timer for a whole agent. Returns the end.
 */
export function watchClock(clock: Clock, timers: Timers, onJump: (byMs: number) => void): () => void {
  let apart = clock.now().getTime() - clock.monotonic();
  let cancel = () => {};
  const look = () => {
    const now = clock.now().getTime() - clock.monotonic();
    const by = now - apart;
    apart = now;
    cancel = timers.after(LOOK_EVERY_MS, look);
    if (Math.abs(by) >= JUMP_MS) onJump(by);
  };
  cancel = timers.after(LOOK_EVERY_MS, look);
  return () => cancel();
}
