import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { ObservedCall } from '../observed/call.ts';
import { asStrict } from '../preflight/as-strict.ts';
import { type ClusterCall, cutOffClusterCalls, wasSeen } from '../preflight/cluster-calls.ts';
import { type PlainTextKind, plainTextJudge, wasPlainText } from '../preflight/plain-text.ts';
import type { Configured } from './evidence.ts';
import { isBefore, isOwn } from './objects.ts';

/** Which workloads become strict, and who stays behind. */
interface StrictStep {
  readonly workloads: ReadonlySet<string> | undefined;
  readonly held: Readonly<Record<string, Stage>>;
}

export interface CutOffCall {
  readonly call: ObservedCall;
  readonly kind: PlainTextKind;
}

/** Who would be cut off by a step to strict. */
export interface PlainTextFound {
  readonly calls: readonly CutOffCall[];
  /** Probes and scrapes as they are configured, of which no call was seen. */
  readonly configured: readonly ClusterCall[];
}

/** The mesh once the step is taken: what others wrote stays, the rollout's objects take nobody out of it but those who stay behind. */
function strictOf(rollout: Pick<NamespaceRollout, 'meta'>, { snapshot, peerAuthentications }: Configured): Snapshot {
  const others = peerAuthentications.filter((policy) => !isOwn(policy, rollout));
  return asStrict({ ...snapshot, peerAuthentications: others }, { namespace: rollout.meta.namespace, workload: undefined });
}

/**
 * What `gatehouse policy preflight` says of the same evidence.
 * @param calls of the workloads that the step is about
 */
export function cutOffByStrict(
  rollout: Pick<NamespaceRollout, 'meta'>,
  step: StrictStep,
  configured: Configured,
  calls: readonly ObservedCall[],
): PlainTextFound {
  const after = strictOf(rollout, configured);
  const before = { ...configured.snapshot, peerAuthentications: configured.peerAuthentications };
  const judge = plainTextJudge(after);
  const plain = calls.filter(wasPlainText);
  const becomesStrict = ({ name }: Workload): boolean => {
    const at = step.held[name];
    return (at === undefined || !isBefore(at, 'strict')) && (step.workloads?.has(name) ?? true);
  };
  const workloads = configured.workloads.filter(becomesStrict);
  const named = new Map(workloads.map((one) => [`${one.namespace}/${one.name}`, one]));
  return {
    calls: plain.flatMap((call) => {
      const { kind, cutOff } = judge(call);
      return cutOff ? [{ call, kind }] : [];
    }),
    configured: cutOffClusterCalls(before, after, workloads).filter((one) => {
      const workload = named.get(one.destination);
      return one.certain && !(workload !== undefined && plain.some((call) => wasSeen(one, call, workload)));
    }),
  };
}
