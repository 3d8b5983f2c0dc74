import { keyOf, selects } from '../../mesh/model/object.ts';
import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { Configured } from './evidence.ts';
import { isOwn } from './objects.ts';

/** PeerAuthentications of others that win over the rollout's: plain text would stay where the stage says that it does not. */
export function conflictsOf(
  rollout: Pick<NamespaceRollout, 'meta'>,
  held: Readonly<Record<string, Stage>>,
  { peerAuthentications, workloads }: Configured,
): readonly string[] {
  const { namespace } = rollout.meta;
  return peerAuthentications
    .filter((policy) => policy.meta.namespace === namespace && !isOwn(policy, rollout))
    .flatMap((policy) => {
      if (policy.mode === 'STRICT') return [];
      const name = `PeerAuthentication ${keyOf(policy.meta)}`;
      if (Object.keys(policy.selector).length === 0)
        return [
          `${name} is for the whole namespace (${policy.mode}), as the rollout’s is, and the older of two counts: delete it`,
        ];
      if (policy.mode === 'UNSET') return [];
      return workloads
        .filter(({ name: workload, labels }) => selects(policy.selector, labels) && held[workload] !== 'observe')
        .map(
          (workload) =>
            `${name} keeps ${workload.name} at ${policy.mode}: delete it, or except ${workload.name} (upTo: observe) with an owner and an end`,
        );
    });
}
