import { setTimeout } from 'node:timers/promises';

/** Polls until `probe` gives something, or fails after the deadline with what was waited for. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  deadlineMs = 20_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`in ${deadlineMs} ms this did not come true: ${what}`);
    await setTimeout(10);
  }
}
