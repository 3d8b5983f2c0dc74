/** A request in the queue; call `leave` exactly once when its work is over. */
export type Turn =
  | { readonly kind: 'go'; readonly leave: () => void }
  /** The queue is full: come back after about that time. */
  | { readonly kind: 'full'; readonly retryAfterMs: number }
  | { readonly kind: 'cancelled' };

export interface QueueOptions {
  readonly concurrency: number;
  readonly waiting: number;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A caller that may give up while it waits. */
export interface Patience {
  readonly gaveUp: () => boolean;
  readonly onGivingUp: (task: () => void) => void;
}

export interface FairQueue {
  enter(source: string, patience: Patience): Turn | Promise<Turn>;
}

interface Waiter {
  readonly answer: (turn: Turn) => void;
}

const [SHORTEST_HINT_MS, LONGEST_HINT_MS] = [250, 30_000];

/**
 * A bounded queue that serves its sources (client addresses) in turn, so that one with a thousand requests does not hold up one with a
 * single request. When it is full, the newest request of the longest line gives way to a source with a shorter one.
 */
export function fairQueue({ concurrency, waiting, clock, random }: QueueOptions): FairQueue {
  // A source has a line here only while someone waits in it; a Map keeps the order of turns.
  const lines = new Map<string, Waiter[]>();
  let [working, queued] = [0, 0];
  // Milliseconds between two requests finishing, smoothed.
  let [pace, lastLeft] = [5, clock()];

  const retryAfterMs = () => {
    const expected = Math.min(Math.max(queued * pace, SHORTEST_HINT_MS), LONGEST_HINT_MS / 2);
    return expected * (1 + random());
  };
  const go = (): Turn => {
    working++;
    let left = false;
    return {
      kind: 'go',
      leave() {
        if (left) return;
        left = true;
        working--;
        const now = clock();
        // Idle time says nothing about the pace.
        pace += (Math.min(now - lastLeft, 1000) - pace) * 0.05;
        lastLeft = now;
        next();
      },
    };
  };
  const next = () => {
    for (const [source, line] of lines) {
      if (working >= concurrency) return;
      const waiter = line.shift();
      lines.delete(source);
      if (line.length > 0) lines.set(source, line);
      if (waiter === undefined) continue;
      queued--;
      waiter.answer(go());
    }
    if (working < concurrency && queued > 0) next();
  };
  const remove = (source: string, waiter: Waiter): boolean => {
    const line = lines.get(source);
    const index = line?.indexOf(waiter) ?? -1;
    if (line === undefined || index < 0) return false;
    line.splice(index, 1);
    if (line.length === 0) lines.delete(source);
    queued--;
    return true;
  };
  /** Makes room for a source with a short line; false when its line is as long as any. */
  const makeRoom = (source: string): boolean => {
    let longest: [string, Waiter[]] | undefined;
    for (const entry of lines) if (longest === undefined || entry[1].length > longest[1].length) longest = entry;
    const newest = longest?.[1].at(-1);
    if (longest === undefined || newest === undefined || longest[1].length <= (lines.get(source)?.length ?? 0) + 1) return false;
    remove(longest[0], newest);
    newest.answer({ kind: 'full', retryAfterMs: retryAfterMs() });
    return true;
  };
  return {
    enter(source, patience) {
      if (patience.gaveUp()) return { kind: 'cancelled' };
      if (working < concurrency && queued === 0) return go();
      if (queued >= waiting && !makeRoom(source)) return { kind: 'full', retryAfterMs: retryAfterMs() };
      return new Promise((resolve) => {
        const waiter: Waiter = { answer: resolve };
        patience.onGivingUp(() => {
          if (remove(source, waiter)) resolve({ kind: 'cancelled' });
        });
        queued++;
        const line = lines.get(source);
        if (line === undefined) lines.set(source, [waiter]);
        else line.push(waiter);
      });
    },
  };
}
