import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../observed/call.ts';
import { hasEnded, isAbout } from './accepted.ts';
import type { DeniedCall, Evidence } from './evidence.ts';
import { intendedPolicies } from './foreign.ts';
import type { Armed } from './state.ts';

/** What takes the namespace back. */
export interface Spike {
  readonly denials: number;
  /** Most calls first. */
  readonly calls: readonly ObservedCall[];
}

/**
 * The denials that count: of calls that were let through before what is enforced changed. Calls that never were, whoever makes them, count
 * for nothing, or whoever wants in would only have to knock often enough; nor do those that somebody accepted, that a policy was meant to
 * refuse, or whose certificate was revoked.
 */
export function spikeOf(rollout: NamespaceRollout, armed: Armed, evidence: Evidence, now: number): Spike | undefined {
  const { denials } = rollout.rollback;
  if (denials === 0 || now > armed.until) return undefined;
  const before = new Set(
    evidence.calls.filter(({ decision, firstSeen }) => decision === 'ALLOW' && firstSeen < armed.since).map(callKey),
  );
  const intended = intendedPolicies(evidence.configured);
  const accepted = rollout.accepted.filter((entry) => !hasEnded(entry, now));
  const counts = ({ call, policy, revoked }: DeniedCall): boolean =>
    !revoked &&
    call.decision === 'DENY' &&
    before.has(callKey(call)) &&
    (policy === undefined || !intended.has(policy)) &&
    !accepted.some((entry) => isAbout(entry, call));
  const calls = evidence.deniedSince
    .filter(counts)
    .map(({ call }) => call)
    .sort((one, other) => other.count - one.count);
  const found = calls.reduce((sum, { count }) => sum + count, 0);
  return found >= denials ? { denials: found, calls } : undefined;
}

/** The same caller doing the same: what an intruder tries with a caller's identity is another call. */
function callKey({ principal, address, destination, port, method, path }: ObservedCall): string {
  return JSON.stringify([principal ?? `address ${address ?? ''}`, destination, port, method, path]);
}
