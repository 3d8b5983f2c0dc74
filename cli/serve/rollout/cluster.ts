import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { StoreLocation } from '../../../audit/store/location.ts';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { OrderAnswer } from '../../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import type { SeenRollout } from '../../../kubernetes/rollout/watched.ts';
import type { Cluster } from '../cluster-options.ts';
import type { RunningRollouts } from './controller.ts';
import type { RecordsElsewhere } from './records-elsewhere.ts';
import type { ProxiesElsewhere } from './replica-proxies.ts';
import type { ClusterRollouts } from './start.ts';

export interface ClusterRolloutSources {
  readonly snapshot: () => Snapshot;
  readonly auditStore: StoreLocation;
  /** Empty: there are no revisions. */
  readonly revision: string;
  /** Whether a webhook of ours looks at orders before they are there. */
  readonly vouched: boolean;
  /** Undefined: no other replica runs, or it is not known yet which do. */
  readonly elsewhere: (namespace: string) => ProxiesElsewhere | undefined;
  readonly recordsElsewhere: () => RecordsElsewhere | undefined;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Rollouts of a cluster: what their controller stands on, and what reaches it by the cluster. */
export interface RolloutsOfCluster {
  readonly surroundings: ClusterRollouts;
  start(rollouts: RunningRollouts): void;
  close(): Promise<void>;
}

/** One of the replicas of each revision decides. */
const LEASE = 'gatehouse-rollouts';
const OTHERS_MS = 1_000;
const AGAIN_MS = 10_000;
/** Longer than a replica counts as running that does not. */
const SETTLED_MS = 30_000;
const NO_LABELS = Object.freeze({});

export async function rolloutsOfCluster(
  { client, systemNamespace, rollouts: choice }: Cluster,
  sources: ClusterRolloutSources,
): Promise<RolloutsOfCluster> {
  const { revision, clock, log, snapshot } = sources;
  const [
    { Election },
    { ClusterObjects },
    { ClusterRecords },
    { Orders },
    { Plans },
    { StatusKeeper },
    { isUrgent, statusFields },
    { WatchedRollouts },
    { WatchedObjects },
    { RevisionNames, wantedRevision },
    { ordersAreVouched },
  ] = await Promise.all([
    import('../../../kubernetes/lease/election.ts'),
    import('../../../kubernetes/rollout/objects.ts'),
    import('../../../kubernetes/rollout/records.ts'),
    import('../../../kubernetes/rollout/orders.ts'),
    import('../../../kubernetes/rollout/plans.ts'),
    import('../../../kubernetes/rollout/status-keeper.ts'),
    import('../../../kubernetes/rollout/status.ts'),
    import('../../../kubernetes/rollout/watched.ts'),
    import('../../../kubernetes/rollout/watched-objects.ts'),
    import('../../../kubernetes/rollout/revision.ts'),
    import('../../../kubernetes/rollout/vouched.ts'),
  ]);
  const identity = `${process.env['POD_NAME'] ?? hostname()}_${randomUUID()}`;
  const name = revision === '' ? LEASE : `${LEASE}-${revision}`;
  const election = new Election({ client, namespace: systemNamespace, name, identity, log, clock });
  const names = new RevisionNames(client, revision, () => {
    known = undefined;
    running?.changed(snapshot());
  });
  const records = new ClusterRecords(client, systemNamespace);
  // The same object for the same, since what changed is seen by identity.
  const proposed = new WeakMap<NamespaceRollout, NamespaceRollout>();
  const asInstalled = (rollout: NamespaceRollout): NamespaceRollout => {
    if (choice === 'enabled' || rollout.advance === 'Propose') return rollout;
    const known = proposed.get(rollout) ?? { ...rollout, advance: 'Propose' as const };
    proposed.set(rollout, known);
    return known;
  };
  let known:
    | { readonly of: Pick<Snapshot, 'namespaceRollouts' | 'namespaces'>; readonly ours: ReadonlyMap<string, NamespaceRollout> }
    | undefined;
  /** Of each namespace the oldest counts, whichever revision it names: of two revisions no more than one decides about a namespace. */
  const ours = (): ReadonlyMap<string, NamespaceRollout> => {
    const of = snapshot();
    if (known?.of.namespaceRollouts === of.namespaceRollouts && known?.of.namespaces === of.namespaces) return known.ours;
    const labels = new Map(of.namespaces.map((one) => [one.name, one.labels]));
    const oldest = new Map<string, NamespaceRollout>();
    for (const rollout of of.namespaceRollouts ?? [])
      if (!oldest.has(rollout.meta.namespace)) oldest.set(rollout.meta.namespace, rollout);
    const mine = [...oldest].filter(([namespace, { meta }]) =>
      names.mean(wantedRevision(meta.labels, labels.get(namespace) ?? NO_LABELS)),
    );
    known = { of, ours: new Map(mine.map(([namespace, rollout]) => [namespace, asInstalled(rollout)])) };
    return known.ours;
  };
  const isLeader = (namespace: string): boolean => election.isLeader() && ours().has(namespace);
  const keeper = new StatusKeeper({ client, log, isLeader });
  // What others kept for themselves is not here when they are gone. Who ran here before counts as another for a moment, and kept it here.
  const startedMs = performance.now();
  let othersUntil: number | undefined;
  const othersRecord = (): string | undefined => {
    const found = sources.recordsElsewhere();
    if (found?.apart === true && performance.now() - startedMs > SETTLED_MS) othersUntil = clock().getTime();
    return found?.reason;
  };
  const presence = setInterval(othersRecord, OTHERS_MS);
  presence.unref();
  // Who led, did not for a moment and leads again is told of nothing in between.
  const again = setInterval(() => lookAgain(), AGAIN_MS);
  again.unref();
  const told = new Map<string, RolloutStatus>();
  let running: RunningRollouts | undefined;
  const orders = new Orders({
    records,
    log,
    isLeader: () => running !== undefined && election.isLeader(),
    settle: async (namespace) => running?.settle(namespace),
    // One that does not count is answered by whoever decides about its namespace.
    isOurs: ({ namespace }) => ours().has(namespace),
    async act({ namespace, name: which }, order) {
      if (running === undefined)
        return { accepted: false, message: 'the control plane is about to start or to end; order again' };
      const counts = ours().get(namespace);
      if (counts !== undefined && counts.meta.name !== which)
        return { accepted: false, message: `the NamespaceRollout ${counts.meta.name} is older, and counts; order there` };
      const by =
        sources.vouched && (await ordersAreVouched(client)) ? order.by : `${order.by} (as was said: no webhook vouches for it)`;
      const answer = await running.order(namespace, { ...order, by });
      // Whoever decides now finishes what was begun.
      return !answer.ok && !isLeader(namespace) ? undefined : answerText(answer);
    },
    tell: ({ namespace, name: which }, last) => keeper.wantOrder(namespace, which, last),
  });
  const plans = new Plans({
    client,
    systemNamespace,
    log,
    isLeader: () => running !== undefined && election.isLeader(),
    isOurs: ({ namespace, name: which }) => ours().get(namespace)?.meta.name === which,
    plan: async (namespace) => (await running?.plan(namespace)) ?? { ok: false, error: 'the control plane is about to end' },
  });
  const look = (seen: SeenRollout): void => {
    orders.seen(seen);
    plans.seen(seen);
  };
  const watched = new WatchedRollouts(client, look);
  const watchedObjects = new WatchedObjects(client);
  const lookAgain = (): void => {
    for (const seen of watched.all()) look(seen);
  };
  election.onChange((leads) => {
    if (!leads) return;
    running?.changed(snapshot());
    lookAgain();
  });
  return {
    surroundings: {
      states: records,
      objects: new ClusterObjects(client, { isLeader, isCurrent: (namespace) => records.isCurrent(namespace) }, watchedObjects),
      isLeader,
      rollouts: () => [...ours().values()],
      onStatus({ meta }, status) {
        if (!isLeader(meta.namespace)) return void told.delete(meta.namespace);
        const before = told.get(meta.namespace);
        told.set(meta.namespace, status);
        keeper.want(meta.namespace, meta.name, statusFields(status), before === undefined || isUrgent(before, status));
      },
      elsewhere: sources.elsewhere,
      elsewhereUntil: () => othersUntil,
      recordedElsewhere: othersRecord,
    },
    start(started) {
      running = started;
      lookAgain();
    },
    async close() {
      running = undefined;
      clearInterval(presence);
      clearInterval(again);
      watched.close();
      watchedObjects.close();
      names.close();
      await orders.close();
      await plans.close();
      keeper.close();
      await election.close();
    },
  };
}

function answerText(answer: OrderAnswer): { readonly accepted: boolean; readonly message: string } {
  if (!answer.ok) return { accepted: false, message: [answer.error, ...answer.heldBy].join('; ') };
  const { namespace, stage, paused, heldBy } = answer.status;
  const held = heldBy.length === 0 ? '' : `; held by: ${heldBy.join('; ')}`;
  return { accepted: true, message: `${namespace} is at ${stage}${paused ? ', paused' : ''}${held}` };
}
