import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Destination } from '../../../policy/access/world.ts';
import { dryRun } from '../../../policy/dry-run/dry-run.ts';
import type { Configured, Evidence } from '../../../policy/rollout/evidence.ts';
import { learning } from '../../../policy/rollout/learned.ts';
import { isOwn } from '../../../policy/rollout/objects.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import { destinationOf } from '../../policy/destinations.ts';
import type { JudgeCalls } from './judged.ts';

function destinationsOf(snapshot: Snapshot, { workloads }: Pick<Configured, 'workloads'>): readonly Destination[] {
  return workloads.map((workload) => destinationOf(snapshot, workload));
}

/** What is suggested for a namespace: the difference to the policies of others; the rollout's own are made anew. */
export function suggestionFor(rollout: NamespaceRollout, snapshot: Snapshot, evidence: Evidence): Suggestion {
  const { recordedSince } = evidence.record;
  const { namespace } = rollout.meta;
  return suggest({
    snapshot,
    destinations: destinationsOf(snapshot, evidence.configured),
    calls: evidence.calls,
    namespace,
    by: 'workload',
    now: evidence.at,
    options: {
      isBase: (policy) => !isOwn(policy, rollout),
      isLearned: learning(rollout),
      ...(recordedSince === undefined ? {} : { observedSince: recordedSince }),
    },
  });
}

/** As Envoy's shadow rules say and as the evaluator says, together and compared. */
export const judgedTogether: JudgeCalls = (snapshot, calls, configured, since) => {
  const destinations = new Map(destinationsOf(snapshot, configured).map((one) => [one.name, one]));
  const { wouldBeDenied, disagreements } = dryRun(snapshot, destinations, calls, since);
  return { wouldBeDenied, disagreements };
};
