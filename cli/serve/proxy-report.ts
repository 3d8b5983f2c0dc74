import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { SHORT_NAMES } from '../../xds/stream/short-names.ts';
import { type Cause, causesOf } from './causes.ts';

/** One connected proxy as `/debug/syncz` tells of it. Times are ISO 8601. */
export interface ProxyReport {
  readonly node: string;
  /** `POD.NAMESPACE`. */
  readonly pod: string;
  /** Null where it came in plain text, and proved none. */
  readonly identity: string | null;
  readonly variant: 'delta' | 'sotw';
  readonly connectedAt: string;
  /** False while its pod is in no snapshot. */
  readonly known: boolean;
  /** The last snapshot of which it has answered everything. */
  readonly acknowledged: number;
  /** The last that it has accepted as a whole. */
  readonly accepted: number;
  /** Since when something that concerns it is published and not answered; null when nothing is. */
  readonly waitingSince: string | null;
  /** How many services it was told of, and of how many, where its scope is automatic; absent where it is told of all that it may see. */
  readonly automaticScope?: ScopeSize;
  readonly types: readonly TypeReport[];
  readonly rejected: readonly RejectedReport[];
}

export interface ScopeSize {
  readonly services: number;
  readonly of: number;
}

export interface TypeReport {
  /** CDS, EDS, LDS ... */
  readonly type: string;
  readonly typeUrl: string;
  /** Null: all of the type. */
  readonly names: number | null;
  readonly responses: number;
  readonly resources: number;
  readonly bytes: number;
  readonly outstanding: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly lastSent: string | null;
  readonly lastAnswered: string | null;
}

export interface RejectedReport {
  readonly type: string;
  readonly typeUrl: string;
  readonly name?: string;
  readonly message: string;
  readonly causes: readonly Cause[];
}

/**
 * @param automaticScope how much of what it may see it was told of, where that follows from its calls
 * @param changedSince names of objects that changed since a snapshot; undefined when not known any more
 */
export function proxyReport(
  status: StreamStatus,
  snapshot: Snapshot,
  changedSince: (snapshot: number) => ReadonlySet<string> | undefined,
  automaticScope?: ScopeSize,
): ProxyReport {
  const { node, identity, variant, connectedAt, known, acknowledged, accepted, waitingSince } = status;
  const pod = node.split('~')[2] ?? node;
  const workload = status.rejected.length === 0 ? undefined : workloadOf(snapshot, pod);
  return {
    node,
    pod,
    identity: identity ?? null,
    variant,
    connectedAt: connectedAt.toISOString(),
    known,
    acknowledged,
    accepted,
    waitingSince: waitingSince?.toISOString() ?? null,
    ...(automaticScope === undefined ? {} : { automaticScope }),
    types: status.subscriptions.map(({ typeUrl, wildcard, names, lastSent, lastAnswered, ...counts }) => ({
      type: SHORT_NAMES[typeUrl],
      typeUrl,
      names: wildcard ? null : names,
      ...counts,
      lastSent: lastSent?.toISOString() ?? null,
      lastAnswered: lastAnswered?.toISOString() ?? null,
    })),
    rejected: status.rejected.map((one) => ({
      type: SHORT_NAMES[one.typeUrl],
      ...one,
      causes: causesOf(snapshot, workload, one, changedSince(accepted)),
    })),
  };
}

function workloadOf(snapshot: Snapshot, pod: string): Workload | undefined {
  const dot = pod.lastIndexOf('.');
  const [name, namespace] = [pod.slice(0, dot), pod.slice(dot + 1)];
  return snapshot.workloads.find(
    (workload) => workload.namespace === namespace && workload.instances.some((instance) => instance.name === name),
  );
}
