/**
 * How far a root is on its way out, and its successor on its way in. Generations are numbered; 0 is the root that the
 * folder began with.
 */
export type RotationState =
  | { readonly phase: 'steady'; readonly signing: number }
  | { readonly phase: 'prepared' | 'active' | 'retiring'; readonly old: number; readonly next: number };

export type Phase = RotationState['phase'];

export const FIRST: RotationState = Object.freeze({ phase: 'steady', signing: 0 });

/** Whose key signs for workloads. */
export function signing(state: RotationState): number {
  switch (state.phase) {
    case 'steady':
      return state.signing;
    case 'prepared':
      return state.old;
    case 'active':
    case 'retiring':
      return state.next;
    default:
      return state satisfies never;
  }
}

/** Whose key signs the control plane's own certificate: the old root's as long as anybody may know only that one. */
export function signingServer(state: RotationState): number {
  return state.phase === 'active' ? state.old : signing(state);
}

/** The roots of the trust bundle. The first is the one that signs, so that an agent sees when to renew. */
export function trusted(state: RotationState): readonly number[] {
  switch (state.phase) {
    case 'steady':
      return [state.signing];
    case 'prepared':
      return [state.old, state.next];
    case 'active':
      return [state.next, state.old];
    case 'retiring':
      return [state.next];
    default:
      return state satisfies never;
  }
}

/** All generations whose files are needed. */
export function kept(state: RotationState): readonly number[] {
  return state.phase === 'steady' ? [state.signing] : [state.old, state.next];
}

/** A stream that has not said that it has the current trust bundle. */
export interface Behind {
  readonly node: string;
  readonly identity: string;
  readonly detail: string;
}

/** A replica of the control plane that is in the way of a step. */
export interface ReplicaBehind {
  readonly replica: string;
  readonly detail: string;
}

/** Certificates in use that lead to one root only. */
export interface InUse {
  readonly count: number;
  /** When the last of them ends; undefined where there are none. */
  readonly until: Date | undefined;
  /** Whose they are. */
  readonly identities: readonly string[];
}

/** What must be known before a step. */
export interface Facts {
  readonly now: Date;
  readonly behind: readonly Behind[];
  readonly replicas: readonly ReplicaBehind[];
  /** Identities that should be connected and are not. */
  readonly away: readonly string[];
  /** When proxies have had time to come back after the control plane's start; until then `behind` says little. */
  readonly settledAt: Date;
  readonly inUse: { readonly old: InUse; readonly next: InUse };
  readonly nextValid: { readonly notBefore: Date; readonly notAfter: Date } | undefined;
}

/** Why a step must wait. */
export type Blocker =
  | ({ readonly kind: 'not-acknowledged' } & Behind)
  | ({ readonly kind: 'replica' } & ReplicaBehind)
  | { readonly kind: 'not-connected'; readonly identity: string }
  | { readonly kind: 'settling'; readonly until: string }
  | {
      readonly kind: 'certificates-in-use';
      readonly root: 'old' | 'new';
      readonly count: number;
      readonly until: string;
      /** Some of them. */
      readonly identities: readonly string[];
    }
  | { readonly kind: 'root-not-valid'; readonly reason: string };

export type Move =
  | { readonly ok: true; readonly to: RotationState; readonly blockers: readonly Blocker[] }
  | { readonly ok: false; readonly reason: string };

/** The next step forward, and what it must wait for. */
export function advance(state: RotationState, facts: Facts): Move {
  switch (state.phase) {
    case 'steady':
      return { ok: false, reason: 'no new root is prepared (gatehouse ca rotate --prepare)' };
    case 'prepared':
      return { ok: true, to: { ...state, phase: 'active' }, blockers: [...notValid(facts), ...followers(facts)] };
    case 'active':
      return {
        ok: true,
        to: { ...state, phase: 'retiring' },
        blockers: [...followers(facts), ...certificates('old', facts.inUse.old)],
      };
    case 'retiring':
      return { ok: true, to: { phase: 'steady', signing: state.next }, blockers: followers(facts) };
    default:
      return state satisfies never;
  }
}

/** One step back, and what it must wait for. */
export function rollback(state: RotationState, facts: Facts): Move {
  switch (state.phase) {
    case 'steady':
      return { ok: false, reason: 'no rotation is under way: there is nothing to go back to' };
    case 'prepared':
      // After a rollback from active there may be certificates that only the new root vouches for.
      return {
        ok: true,
        to: { phase: 'steady', signing: state.old },
        blockers: [...others(facts.replicas), ...certificates('new', facts.inUse.next)],
      };
    case 'active':
      return { ok: true, to: { ...state, phase: 'prepared' }, blockers: [] };
    case 'retiring':
      return { ok: true, to: { ...state, phase: 'active' }, blockers: [] };
    default:
      return state satisfies never;
  }
}

const MOST_NAMED = 20;

function followers({ behind, replicas, away, now, settledAt }: Facts): readonly Blocker[] {
  const settling: readonly Blocker[] = now < settledAt ? [{ kind: 'settling', until: settledAt.toISOString() }] : [];
  return [
    ...settling,
    ...others(replicas),
    ...behind.map((one) => ({ kind: 'not-acknowledged' as const, ...one })),
    ...away.map((identity) => ({ kind: 'not-connected' as const, identity })),
  ];
}

function others(replicas: readonly ReplicaBehind[]): readonly Blocker[] {
  return replicas.map((one) => ({ kind: 'replica' as const, ...one }));
}

function certificates(root: 'old' | 'new', { count, until, identities }: InUse): readonly Blocker[] {
  if (count === 0 || until === undefined) return [];
  return [{ kind: 'certificates-in-use', root, count, until: until.toISOString(), identities: identities.slice(0, MOST_NAMED) }];
}

function notValid({ nextValid, now }: Facts): readonly Blocker[] {
  if (nextValid === undefined) return [{ kind: 'root-not-valid', reason: 'the new root cannot be read' }];
  if (now < nextValid.notBefore)
    return [{ kind: 'root-not-valid', reason: `the new root is not valid before ${nextValid.notBefore.toISOString()}` }];
  if (now >= nextValid.notAfter)
    return [{ kind: 'root-not-valid', reason: `the new root has expired (${nextValid.notAfter.toISOString()})` }];
  return [];
}
