/** Long work in pieces: whoever does it may do something else wherever it yields. What it was begun with must stay as it is meanwhile. */
export type Interruptible<Result> = Generator<undefined, Result>;

/** Does all of it at once. */
export function uninterrupted<Result>(work: Interruptible<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** So many services are looked at before others may have a turn: for more, asking the clock would cost as much as the work. */
export const TOGETHER = 8;
