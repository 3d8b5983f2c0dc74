import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { accessText } from '../access/same.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';
import { judge } from '../observed/judge.ts';
import type { Judgement } from '../observed/judgement.ts';

/** A configuration, with what calls can go to in it. */
export interface ReplayedMesh {
  readonly snapshot: Snapshot;
  readonly destinations: readonly Destination[];
}

export type JudgementOf<K extends Judgement['kind']> = Extract<Judgement, { readonly kind: K }>;

/** Calls alike, and what is said of them after the change. */
export interface Replayed<J extends Judgement = Judgement> {
  readonly call: ObservedCall;
  readonly after: J;
}

export interface Amount {
  /** Kinds of calls. */
  readonly edges: number;
  readonly calls: number;
}

export interface Replay {
  /** Were let through and would be. */
  readonly kept: Amount;
  /** Were denied and would be. */
  readonly stillDenied: Amount;
  /** Were let through, and would be refused. Most calls first, as all lists. */
  readonly broken: readonly Replayed<JudgementOf<'not-granted'>>[];
  /** Were denied by policies, and would be let through. */
  readonly newlyAllowed: readonly Replayed<JudgementOf<'granted'>>[];
  /** It depends on what records do not have. */
  readonly undecided: readonly Replayed<JudgementOf<'depends' | 'granted'>>[];
  /** Were let through once, and are refused today already: it is not this change that breaks them. */
  readonly refusedBefore: readonly Replayed<JudgementOf<'not-granted'>>[];
  /** To workloads that are not in the configuration after the change. */
  readonly gone: readonly Replayed<JudgementOf<'unknown'>>[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function add(amount: Mutable<Amount>, { count }: ObservedCall): void {
  amount.edges += 1;
  amount.calls += count;
}

/** The names of destinations for which the change makes no difference. */
function unchangedIn(before: ReplayedMesh, after: ReplayedMesh): ReadonlySet<string> {
  const was = new Map(before.destinations.map((one) => [one.name, one]));
  return new Set(
    after.destinations.flatMap((destination) => {
      const known = was.get(destination.name);
      if (known === undefined) return [];
      const same = accessText({ ...before, destination: known }) === accessText({ ...after, destination });
      return same ? [destination.name] : [];
    }),
  );
}

function byName({ destinations }: ReplayedMesh): ReadonlyMap<string, Destination> {
  return new Map(destinations.map((one) => [one.name, one]));
}

/**
 * What calls that were seen would come to under other policies: AuthorizationPolicies, PeerAuthentications and RequestAuthentications. Pure.
 *
 * @param before the policies under which they were seen, where those are known: what was let through under them tells of headers and tokens
 * that records do not have
 */
export function replay(calls: Iterable<ObservedCall>, after: ReplayedMesh, before?: ReplayedMesh): Replay {
  const is = judge(after.snapshot, byName(after));
  const was = before && judge(before.snapshot, byName(before));
  const unchanged = before === undefined ? new Set<string>() : unchangedIn(before, after);
  const kept = { edges: 0, calls: 0 };
  const stillDenied = { edges: 0, calls: 0 };
  const broken: Replayed<JudgementOf<'not-granted'>>[] = [];
  const newlyAllowed: Replayed<JudgementOf<'granted'>>[] = [];
  const undecided: Replayed<JudgementOf<'depends' | 'granted'>>[] = [];
  const refusedBefore: Replayed<JudgementOf<'not-granted'>>[] = [];
  const gone: Replayed<JudgementOf<'unknown'>>[] = [];

  const wasAllowed = (call: ObservedCall): void => {
    const judgement = is(call, was?.given(call));
    switch (judgement.kind) {
      case 'granted':
        return add(kept, call);
      case 'depends':
        undecided.push({ call, after: judgement });
        return;
      case 'unknown':
        gone.push({ call, after: judgement });
        return;
      case 'not-granted':
        (was?.(call).kind === 'not-granted' ? refusedBefore : broken).push({ call, after: judgement });
        return;
      default:
        return judgement satisfies never;
    }
  };

  const wasDenied = (call: ObservedCall): void => {
    const [judgement, earlier] = [is(call), was?.(call)];
    switch (judgement.kind) {
      case 'granted': {
        // Somebody else than rules denied it, or a rule whose conditions are the same as before.
        const elsewhere = call.refusedBy === 'token' || call.refusedBy === 'provider' || call.refusedBy === 'identity';
        if (elsewhere || earlier?.kind === 'granted') return add(stillDenied, call);
        newlyAllowed.push({ call, after: judgement });
        return;
      }
      case 'depends':
        if (earlier?.kind === 'depends' && earlier.basis === judgement.basis) return add(stillDenied, call);
        undecided.push({ call, after: judgement });
        return;
      case 'not-granted':
        return add(stillDenied, call);
      case 'unknown':
        gone.push({ call, after: judgement });
        return;
      default:
        return judgement satisfies never;
    }
  };

  for (const call of calls) {
    const denied = call.decision === 'DENY';
    if (unchanged.has(call.destination)) add(denied ? stillDenied : kept, call);
    else if (denied) wasDenied(call);
    else wasAllowed(call);
  }
  const mostFirst = (a: Replayed, b: Replayed): number => b.call.count - a.call.count || b.call.lastSeen - a.call.lastSeen;
  return {
    kept,
    stillDenied,
    broken: broken.sort(mostFirst),
    newlyAllowed: newlyAllowed.sort(mostFirst),
    undecided: undecided.sort(mostFirst),
    refusedBefore: refusedBefore.sort(mostFirst),
    gone: gone.sort(mostFirst),
  };
}
