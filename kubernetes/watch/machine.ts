// How one resource is followed: list, then watch, and what to do when either fails. Pure: what happened goes in, what to do comes out
// (kubernetes.io, "Kubernetes API Concepts": efficient detection of changes, 410 Gone, bookmarks, retrieving large results in chunks).
import type { ApiObject } from './object.ts';

export type Failure =
  /** 410: the server no longer knows the version, or the place in a list, from which it was asked to go on. */
  | { readonly kind: 'expired' }
  /** 404: nothing of that kind is served. */
  | { readonly kind: 'absent' }
  /** 401 or 403. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** Any other answer that is no success. */
  | { readonly kind: 'refused'; readonly message: string; readonly retryAfterMs: number | undefined }
  /** No answer, or one that broke off. */
  | { readonly kind: 'lost'; readonly message: string };

/** What happened. */
export type Happened =
  | { readonly kind: 'page'; readonly objects: readonly ApiObject[]; readonly resourceVersion: string; readonly next: string }
  | { readonly kind: 'put'; readonly object: ApiObject }
  | { readonly kind: 'gone'; readonly object: ApiObject }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** The server ended the watch in order, as it does every few minutes. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** The time to wait is over. */
  | { readonly kind: 'due' };

/** What to do next; nothing: go on with what is being done. */
export type Order =
  | { readonly kind: 'list'; readonly limit: number; readonly next: string }
  | { readonly kind: 'watch'; readonly resourceVersion: string }
  | { readonly kind: 'wait'; readonly ms: number };

/** What to tell whoever follows the resource. */
export type Told =
  /** A list begins: objects that are not put until `listed` are gone. */
  | { readonly kind: 'listing' }
  | { readonly kind: 'put'; readonly objects: readonly ApiObject[] }
  | { readonly kind: 'gone'; readonly object: ApiObject }
  | { readonly kind: 'listed' }
  | { readonly kind: 'trouble'; readonly failure: Failure; readonly retryMs: number }
  | { readonly kind: 'recovered' };

type Phase =
  | { readonly kind: 'list'; readonly limit: number; readonly next: string }
  | { readonly kind: 'watch'; readonly resourceVersion: string; readonly quiet: boolean }
  | { readonly kind: 'wait'; readonly next: Exclude<Phase, { kind: 'wait' }> };

export interface State {
  readonly phase: Phase;
  /** Failures since something was last heard. */
  readonly failures: number;
}

export interface Step {
  readonly state: State;
  readonly order: Order | undefined;
  readonly told: readonly Told[];
}

export const PAGE = 500;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A server that answers a watch only with errors may have lost the version itself. */
const LIST_AFTER = 4;

const LIST: Phase & { kind: 'list' } = Object.freeze({ kind: 'list', limit: PAGE, next: '' });

export function begin(): Step {
  return { state: { phase: LIST, failures: 0 }, order: LIST, told: [{ kind: 'listing' }] };
}

/** @param random from 0 to 1: many that lost one server must not come back at one moment */
export function step(state: State, happened: Happened, random: number): Step {
  const { phase } = state;
  switch (happened.kind) {
    case 'due':
      return phase.kind === 'wait' ? go({ ...state, phase: phase.next }, []) : stay(state);
    case 'failed':
      return phase.kind === 'wait' ? stay(state) : failed(state, phase, happened.failure, random);
    case 'page':
      return phase.kind === 'list' ? listed(state, phase, happened) : stay(state);
    case 'put':
    case 'gone':
    case 'bookmark':
      return phase.kind === 'watch' ? heard(state, phase, happened, random) : stay(state);
    case 'ended':
      return phase.kind === 'watch' ? ended(state, phase, random) : stay(state);
  }
  return happened satisfies never;
}

function stay(state: State): Step {
  return { state, order: undefined, told: [] };
}

/** Enters the phase of a state. */
function go(state: State, told: readonly Told[]): Step {
  const { phase } = state;
  if (phase.kind === 'wait') return { state, order: undefined, told };
  if (phase.kind === 'watch') return { state: { ...state, phase: { ...phase, quiet: true } }, order: phase, told };
  return { state, order: phase, told: phase.next === '' ? [...told, { kind: 'listing' }] : told };
}

function listed(state: State, phase: Phase & { kind: 'list' }, page: Happened & { kind: 'page' }): Step {
  const told: Told[] = [...recovered(state), { kind: 'put', objects: page.objects }];
  if (page.next !== '') return go({ failures: 0, phase: { ...phase, next: page.next } }, told);
  const watch: Phase = { kind: 'watch', resourceVersion: page.resourceVersion, quiet: true };
  return go({ failures: 0, phase: watch }, [...told, { kind: 'listed' }]);
}

function heard(
  state: State,
  phase: Phase & { kind: 'watch' },
  happened: Happened & { kind: 'put' | 'gone' | 'bookmark' },
  random: number,
): Step {
  const resourceVersion = happened.kind === 'bookmark' ? happened.resourceVersion : happened.object.resourceVersion;
  // A server that was restored from a backup counts from an older version, and would never tell of what it has.
  if (happened.kind === 'bookmark' && isOlder(resourceVersion, phase.resourceVersion))
    return failed(state, phase, { kind: 'expired' }, random);
  const told: Told[] = [...recovered(state)];
  if (happened.kind === 'put') told.push({ kind: 'put', objects: [happened.object] });
  if (happened.kind === 'gone') told.push(happened);
  const next = resourceVersion === '' ? phase.resourceVersion : resourceVersion;
  return { state: { failures: 0, phase: { kind: 'watch', resourceVersion: next, quiet: false } }, order: undefined, told };
}

function ended(state: State, phase: Phase & { kind: 'watch' }, random: number): Step {
  if (!phase.quiet) return go(state, []);
  // Watches that end at once, again and again, would be a load on the server; the first end is what a quiet resource has.
  const failures = state.failures + 1;
  return waiting({ phase, failures }, failures === 1 ? 0 : backOff(failures - 1, random), []);
}

function failed(state: State, phase: Exclude<Phase, { kind: 'wait' }>, failure: Failure, random: number): Step {
  const failures = state.failures + 1;
  const told = (retryMs: number): readonly Told[] => [{ kind: 'trouble', failure, retryMs }];
  const again = (then: Exclude<Phase, { kind: 'wait' }>, ms: number): Step => waiting({ phase: then, failures }, ms, told(ms));
  const later = backOff(failures, random);
  switch (failure.kind) {
    case 'expired': {
      // A list that takes longer than its place in it is kept is asked for in one piece.
      const limit = phase.kind === 'list' && phase.next !== '' ? 0 : PAGE;
      return waiting({ phase: { ...LIST, limit }, failures }, failures === 1 ? 0 : later, []);
    }
    case 'absent':
    case 'forbidden':
      return again(LIST, later);
    case 'refused':
      return again(
        phase.kind === 'watch' && failures < LIST_AFTER ? phase : phase.kind === 'watch' ? LIST : restart(phase),
        Math.max(later, failure.retryAfterMs ?? 0),
      );
    case 'lost':
      return again(phase.kind === 'list' ? restart(phase) : phase, later);
  }
  return failure satisfies never;
}

function restart(phase: Phase & { kind: 'list' }): Phase & { kind: 'list' } {
  return { ...phase, next: '' };
}

function waiting(
  state: { readonly phase: Exclude<Phase, { kind: 'wait' }>; readonly failures: number },
  ms: number,
  told: readonly Told[],
): Step {
  if (ms === 0) return go(state, told);
  return { state: { failures: state.failures, phase: { kind: 'wait', next: state.phase } }, order: { kind: 'wait', ms }, told };
}

function recovered({ failures }: State): readonly Told[] {
  return failures === 0 ? [] : [{ kind: 'recovered' }];
}

function backOff(failures: number, random: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(most * (0.5 + random / 2));
}

/** Versions are numbers that grow; what is none is not compared. */
function isOlder(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) < BigInt(than);
}
