import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import type { Configured, Disagreement, WouldBeDenied } from '../../../policy/rollout/evidence.ts';

/** Judges calls as if the dry runs were enforced. `since`: when the dry runs became as they are. */
export type JudgeCalls = (
  snapshot: Snapshot,
  calls: readonly ObservedCall[],
  configured: Pick<Configured, 'workloads'>,
  since: number,
) => { readonly wouldBeDenied: readonly WouldBeDenied[]; readonly disagreements: readonly Disagreement[] };
