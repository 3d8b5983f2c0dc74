import type { Gap, Period } from './store.ts';

/** One run of a control plane; ms since the epoch. */
export interface Writer {
  readonly started: number;
  readonly lastWrite: number;
  readonly stopped: number | undefined;
  /** Empty when unknown. */
  readonly run: string;
  /** It heard of proxies without an agent. */
  readonly direct: boolean;
}

interface Presence {
  readonly from: number;
  readonly until: number;
  readonly killed: boolean;
  readonly direct: boolean;
}

/** Writers of one run are one: a recorder that opens its store anew kept its counts in memory. */
function presences(writers: readonly Writer[]): readonly Presence[] {
  const runs = new Map<string, Presence>();
  for (const [index, { started, lastWrite, stopped, run, direct }] of writers.entries()) {
    const one = { from: started, until: stopped ?? lastWrite, killed: stopped === undefined, direct };
    const name = run === '' ? `unknown ${index}` : run;
    const known = runs.get(name);
    const later = known === undefined || one.until >= known.until ? one : known;
    runs.set(name, { ...later, from: Math.min(one.from, known?.from ?? one.from), direct: direct || known?.direct === true });
  }
  return [...runs.values()].sort((a, b) => a.from - b.from || a.until - b.until);
}

/** A writer that was silent for as long while others wrote is gone: each writes every few seconds. */
const SILENT_MS = 60_000;

/**
 * Agents keep what they have meanwhile; so only where proxies send without one, something is missing.
 *
 * When no writer at all was there: with several replicas, what one does not record another does. One that was killed while others were there
 * leaves a gap without length, as what waited in its memory may be missing. The newest may be at work, so nothing is said of after it.
 */
export function gapsOf(writers: readonly Writer[], { since = 0, until = Number.MAX_SAFE_INTEGER }: Period): readonly Gap[] {
  const gaps: Gap[] = [];
  const all = presences(writers);
  const newest = Math.max(...all.map((one) => one.until));
  let last: Presence | undefined;
  for (const one of all) {
    if (last !== undefined && (last.direct || one.direct) && one.from >= last.until && (one.from > last.until || last.killed))
      gaps.push({ from: last.until, until: one.from, killed: last.killed });
    if (last === undefined || one.until >= last.until) last = one;
  }
  for (const one of all) {
    if (
      !one.killed ||
      !one.direct ||
      one.until > newest - SILENT_MS ||
      gaps.some(({ from, killed }) => killed && from === one.until)
    )
      continue;
    gaps.push({ from: one.until, until: one.until, killed: true });
  }
  return gaps.filter((gap) => gap.until > since && gap.from < until).sort((a, b) => a.from - b.from);
}
