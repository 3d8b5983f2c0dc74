import type { Random } from '../clock.ts';

const FIRST_MS = 200;
const CEILING_MS = 15_000;
/** An Envoy that lived this long was well; its end starts the count anew. */
export const WELL_AFTER_MS = 30_000;

/** How long to wait before starting again: doubling from 0.2 s to 15 s, up to half of it random. */
export function restartDelay(exitsInARow: number, random: Random): number {
  const step = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(exitsInARow - 1, 20));
  return Math.ceil(step / 2 + (step / 2) * random());
}
