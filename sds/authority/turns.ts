/** Runs tasks, so many at once and the others in the order they came. */
export type Turns = <T>(task: () => Promise<T>) => Promise<T>;

/**
 * Hundreds of workloads that begin at once would make hundreds of TLS connections at once, each a megabyte while it lasts, and none
 * of them would be done sooner.
 */
export function turns(most: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await task();
    } finally {
      // The place goes to the next in line, so that nobody who comes now can take it.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
