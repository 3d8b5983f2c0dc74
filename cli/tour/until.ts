/** Asks until the answer is true; false when it never was within `deadlineMs`. */
export async function until(deadlineMs: number, probe: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    if (await probe()) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
