import type { DenialSpikeRule } from './rules.ts';

/** Complete windows that say what is usual; fewer than `FEWEST` say nothing. */
const PAST = 12;
const FEWEST = 3;
const MOST_CALLERS = 100;
const TOLD_CALLERS = 5;

interface Watched {
  /** Denials of complete windows, by the window's number; those without any are not there. */
  readonly past: Map<number, number>;
  window: number;
  denied: number;
  readonly callers: Map<string, number>;
  /** Not told again before. */
  quietUntil: number;
}

export interface Spike {
  readonly denied: number;
  readonly usual: number;
  readonly callers: readonly { readonly source: string; readonly denied: number }[];
}

/**
 * Finds workloads that deny far more than they used to. Time is cut into windows; what is usual is the mean of the last twelve complete windows,
 * of which there must be three since the start. A window is a spike as soon as it has `least` denials and more than `factor` times what is
 * usual (counted as one where it is less), and is told once in `againMs`. Pure: time is what it is told.
 */
export class SpikeDetector {
  readonly #rule: DenialSpikeRule;
  readonly #first: number;
  readonly #watched = new Map<string, Watched>();
  readonly #most: number;

  /** @param most workloads that are watched */
  constructor(rule: DenialSpikeRule, startedAt: number, most = 10_000) {
    this.#rule = rule;
    // The window of the start is not whole.
    this.#first = Math.floor(startedAt / rule.windowMs) + 1;
    this.#most = most;
  }

  denied(workload: string, caller: string, now: number): Spike | undefined {
    const { windowMs, factor, least, againMs } = this.#rule;
    const watched = this.#watch(workload, Math.floor(now / windowMs));
    if (watched === undefined) return undefined;
    watched.denied++;
    if (watched.callers.has(caller) || watched.callers.size < MOST_CALLERS)
      watched.callers.set(caller, (watched.callers.get(caller) ?? 0) + 1);
    if (watched.denied < least || now < watched.quietUntil) return undefined;
    const usual = this.#usual(watched);
    if (usual === undefined || watched.denied <= factor * Math.max(1, usual)) return undefined;
    watched.quietUntil = now + againMs;
    const callers = [...watched.callers]
      .map(([source, denied]) => ({ source, denied }))
      .sort((a, b) => b.denied - a.denied || (a.source < b.source ? -1 : 1))
      .slice(0, TOLD_CALLERS);
    return { denied: watched.denied, usual, callers };
  }

  #watch(workload: string, window: number): Watched | undefined {
    const known = this.#watched.get(workload);
    if (known === undefined) {
      if (this.#watched.size >= this.#most) return undefined;
      const made = { past: new Map<number, number>(), window, denied: 0, callers: new Map<string, number>(), quietUntil: 0 };
      this.#watched.set(workload, made);
      return made;
    }
    if (window <= known.window) return known;
    known.past.set(known.window, known.denied);
    for (const old of known.past.keys()) if (old < window - PAST) known.past.delete(old);
    known.window = window;
    known.denied = 0;
    known.callers.clear();
    return known;
  }

  #usual({ past, window }: Watched): number | undefined {
    const windows = Math.min(PAST, window - this.#first);
    if (windows < FEWEST) return undefined;
    let sum = 0;
    for (const [at, denied] of past) if (at >= window - windows) sum += denied;
    return sum / windows;
  }
}
