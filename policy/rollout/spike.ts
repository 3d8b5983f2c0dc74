import { keyOf } from '../../mesh/model/object.ts';
import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../observed/call.ts';
import { entriesAbout } from './accepted.ts';
import type { DeniedCall, Evidence } from './evidence.ts';
import { intendedPolicies } from './foreign.ts';
import { isOwn } from './objects.ts';
import type { Armed, ForeignPolicy, RolloutState } from './state.ts';

/** What takes the namespace back. */
export interface Spike {
  readonly denials: number;
  /** Most calls first. */
  readonly calls: readonly ObservedCall[];
  /** So many that the rollout's own objects may have refused. */
  readonly own: number;
  /** Policies of others that came or changed and that may have refused them. */
  readonly suspects: readonly ForeignPolicy[];
}

/**
 * The denials that count: of calls that were let through before what is enforced changed. Calls that never were, whoever makes them, count
 * for nothing, or whoever wants in would only have to knock often enough; nor do those that somebody accepted, that a policy was meant to
 * refuse, or whose certificate was revoked.
 * @param state `answered` has what is accepted today as well
 */
export function spikeOf(
  rollout: NamespaceRollout,
  { armed, answered = [] }: Pick<RolloutState, 'armed' | 'answered'>,
  evidence: Evidence,
  now: number,
): Spike | undefined {
  const { denials } = rollout.rollback;
  if (armed === undefined || denials === 0 || now > armed.until) return undefined;
  const intended = intendedPolicies(evidence.configured);
  const accepted = entriesAbout(answered, 'perhaps');
  const unanswered = evidence.deniedSince.filter(
    ({ call, policy, revoked }) =>
      !revoked &&
      call.refusedBy !== 'identity' &&
      call.decision === 'DENY' &&
      (policy === undefined || !intended.has(policy)) &&
      accepted(call).length === 0,
  );
  if (sum(unanswered) < denials) return undefined;
  // A refused connection says neither method nor path: it counts if it may be one of those for which nobody answers.
  const before = letThrough(
    evidence.calls.filter((call) => accepted(call).length === 0),
    armed.since,
  );
  const counted = unanswered.filter(({ call }) => before(call));
  const found = sum(counted);
  if (found < denials) return undefined;
  return {
    denials: found,
    calls: counted.map(({ call }) => call).sort((one, other) => other.count - one.count),
    own: sum(counted.filter((one) => isOurs(one, rollout, evidence))),
    suspects: suspectsOf(armed, counted),
  };
}

const sum = (calls: readonly DeniedCall[]): number => calls.reduce((all, { call }) => all + call.count, 0);

/** What no policy is named for: no rule lets it in, or it came in plain text where that is refused. */
function isOurs({ policy, call }: DeniedCall, rollout: NamespaceRollout, { configured }: Evidence): boolean {
  if (call.refusedBy === 'token' || call.refusedBy === 'provider') return false;
  if (policy === undefined) return true;
  return configured.authorizationPolicies.some((one) => keyOf(one.meta) === policy && isOwn(one, rollout));
}

/** Where a refusal names no policy each of them may have been it: those that allow others, for one. */
function suspectsOf({ suspects }: Armed, denied: readonly DeniedCall[]): readonly ForeignPolicy[] {
  const named = new Set(denied.map(({ policy }) => policy));
  return suspects.filter((suspect) => named.has(keyOf(suspect)) || named.has(undefined));
}

/**
 * Whether a call was let through before. The same caller doing the same: what an intruder tries with a caller's identity is another call. Of
 * what was refused as a connection there is no method and no path.
 */
function letThrough(calls: readonly ObservedCall[], since: number): (call: ObservedCall) => boolean {
  const before = Map.groupBy(
    calls.filter(({ decision, firstSeen }) => decision === 'ALLOW' && firstSeen < since),
    betweenWhom,
  );
  const alike = <T>(denied: T | undefined, allowed: T | undefined): boolean => denied === undefined || denied === allowed;
  return (call) =>
    before
      .get(betweenWhom(call))
      ?.some(({ port, method, path }) => alike(call.port, port) && alike(call.method, method) && alike(call.path, path)) ?? false;
}

function betweenWhom({ principal, address, destination }: ObservedCall): string {
  return JSON.stringify([principal ?? '', principal === undefined ? (address ?? '') : '', destination]);
}
