import type { RolloutSource } from '../../audit/page/server/rollouts.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { RolloutStatus } from '../../policy/rollout/status.ts';
import type { RunningRollouts } from './rollout/controller.ts';

/** Rollouts for the page: as the controller saw them last, so that nobody who looks on makes it read the audit store. */
export function pageRollouts(rollouts: Pick<RunningRollouts, 'last' | 'plan'>, snapshot: () => Snapshot): RolloutSource {
  const all = (): readonly RolloutStatus[] =>
    rollouts
      .last()
      .map(({ status, problem }) =>
        problem === undefined || status.heldBy.includes(problem) ? status : { ...status, heldBy: [problem, ...status.heldBy] },
      );
  return {
    statuses: () => Promise.resolve(all()),
    status: (namespace) => Promise.resolve(all().find((one) => one.namespace === namespace)),
    begun: () => new Set((snapshot().namespaceRollouts ?? []).map(({ meta }) => meta.namespace)),
    plan: (namespace) => rollouts.plan(namespace),
  };
}
