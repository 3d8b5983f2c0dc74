import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Pending } from '../../../kubernetes/replicas/aggregate.ts';
import type { OtherReplica } from '../../../kubernetes/replicas/replicas.ts';
import type { StreamStatus } from '../../../xds/stream/service.ts';

/** The proxies of a namespace that other replicas have. */
export interface ProxiesElsewhere {
  readonly connected: number;
  /** In words; not empty while it is not known. */
  readonly behind: readonly string[];
}

/** Of a replica that has just begun: others may run. */
export const NOT_KNOWN_YET: ProxiesElsewhere = Object.freeze({
  connected: 0,
  behind: ['it is not known yet which other replicas run'],
});

/** Namespaces in a replica's report are so many at most: it is one small object. */
const MOST_NAMESPACES = 500;
const DECIDING = /^(?:authorizationpolicies|peerauthentications|requestauthentications)\.security\.istio\.io\/([^/]*)\//;

/** How many proxies of each namespace that is being rolled out are here. */
export function proxiesOfRollouts(
  { namespaceRollouts = [] }: Snapshot,
  streams: readonly StreamStatus[],
): Readonly<Record<string, number>> {
  const namespaces = namespaceRollouts.map(({ meta }) => meta.namespace).slice(0, MOST_NAMESPACES);
  if (namespaces.length === 0) return {};
  const counts = new Map(namespaces.map((namespace) => [namespace, 0]));
  for (const { kind, node, known } of streams) {
    if (kind !== 'proxy' || !known) continue;
    const pod = node.split('~')[2] ?? '';
    const namespace = pod.slice(pod.lastIndexOf('.') + 1);
    const count = counts.get(namespace);
    if (count !== undefined) counts.set(namespace, count + 1);
  }
  return Object.fromEntries(counts);
}

/** @param namespaces that which is asked about, and the root namespace: whose policies concern it */
export function proxiesElsewhere(
  [namespace, rootNamespace]: readonly [string, string],
  others: readonly OtherReplica[],
  pending: () => Pending | undefined,
): ProxiesElsewhere | undefined {
  const running = others.filter(({ present }) => present);
  if (running.length === 0) return undefined;
  const connected = running.reduce((sum, { report }) => sum + (report?.rollouts[namespace] ?? 0), 0);
  const known = pending();
  if (known === undefined) return { connected, behind: ['what the proxies of other replicas have is not known yet'] };
  const behind = [...known.objects].flatMap(([place, { lagging, rejectedBy }]) =>
    [namespace, rootNamespace].includes(DECIDING.exec(place)?.[1] ?? '')
      ? [...lagging.map((who) => `${place} is not accepted yet by ${who}`), ...rejectedBy.map((who) => `${who} refused ${place}`)]
      : [],
  );
  return { connected, behind };
}
