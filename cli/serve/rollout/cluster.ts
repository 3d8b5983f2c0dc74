import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { StoreLocation } from '../../../audit/store/location.ts';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { OrderAnswer, Rollouts } from '../../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import type { SeenRollout } from '../../../kubernetes/rollout/watched.ts';
import type { Cluster } from '../cluster-options.ts';
import { NOT_KNOWN_YET, type ProxiesElsewhere } from './replica-proxies.ts';
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
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Rollouts of a cluster: what their controller stands on, and what reaches it by the cluster. */
export interface RolloutsOfCluster {
  readonly surroundings: ClusterRollouts;
  start(rollouts: Rollouts): void;
  close(): Promise<void>;
}

/** One of the replicas of each revision decides. */
const LEASE = 'gatehouse-rollouts';
const OTHERS_MS = 1_000;
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
    import('../../../kubernetes/rollout/revision.ts'),
    import('../../../kubernetes/rollout/vouched.ts'),
  ]);
  const identity = `${process.env['POD_NAME'] ?? hostname()}_${randomUUID()}`;
  const name = revision === '' ? LEASE : `${LEASE}-${revision}`;
  const election = new Election({ client, namespace: systemNamespace, name, identity, log, clock });
  const isLeader = (): boolean => election.isLeader();
  const names = new RevisionNames(client, revision, () => running?.changed(snapshot()));
  const records = new ClusterRecords(client, systemNamespace);
  const keeper = new StatusKeeper({ client, log, isLeader });
  const isOurs = ({ meta }: NamespaceRollout): boolean => {
    const namespace = snapshot().namespaces.find((one) => one.name === meta.namespace);
    return names.mean(wantedRevision(meta.labels, namespace?.labels ?? NO_LABELS));
  };
  // The same object for the same, since what changed is seen by identity.
  const proposed = new WeakMap<NamespaceRollout, NamespaceRollout>();
  const asInstalled = (rollout: NamespaceRollout): NamespaceRollout => {
    if (choice === 'enabled' || rollout.advance === 'Propose') return rollout;
    const known = proposed.get(rollout) ?? { ...rollout, advance: 'Propose' as const };
    proposed.set(rollout, known);
    return known;
  };
  /** The oldest of each namespace counts. */
  const rollouts = (): readonly NamespaceRollout[] => (snapshot().namespaceRollouts ?? []).filter(isOurs).map(asInstalled);
  const counted = (namespace: string): NamespaceRollout | undefined =>
    rollouts().find(({ meta }) => meta.namespace === namespace);
  // What others kept for themselves is not here when they are gone. Who ran here before counts as another for a moment, and kept it here.
  const startedMs = performance.now();
  let othersUntil: number | undefined;
  const othersRecord = (): boolean => {
    const others = sources.elsewhere('');
    const found = sources.auditStore.engine === 'sqlite' && others !== undefined;
    if (found && others !== NOT_KNOWN_YET && performance.now() - startedMs > SETTLED_MS) othersUntil = clock().getTime();
    return found;
  };
  const presence = setInterval(othersRecord, OTHERS_MS);
  presence.unref();
  const told = new Map<string, RolloutStatus>();
  let running: Rollouts | undefined;
  const orders = new Orders({
    records,
    log,
    isLeader: () => running !== undefined && isLeader(),
    isOurs: ({ namespace, name: which }) =>
      (snapshot().namespaceRollouts ?? []).some(
        (one) => one.meta.namespace === namespace && one.meta.name === which && isOurs(one),
      ),
    async act({ namespace, name: which }, order) {
      if (running === undefined)
        return { accepted: false, message: 'the control plane is about to start or to end; order again' };
      const counts = counted(namespace);
      if (counts !== undefined && counts.meta.name !== which)
        return { accepted: false, message: `the NamespaceRollout ${counts.meta.name} is older, and counts; order there` };
      const by =
        sources.vouched && (await ordersAreVouched(client)) ? order.by : `${order.by} (as was said: no webhook vouches for it)`;
      return answerText(await running.order(namespace, { ...order, by }));
    },
    tell: ({ namespace, name: which }, last) => keeper.wantOrder(namespace, which, last),
  });
  const plans = new Plans({
    client,
    systemNamespace,
    log,
    isLeader: () => running !== undefined && isLeader(),
    isOurs: ({ namespace, name: which }) => counted(namespace)?.meta.name === which,
    plan: async (namespace) => (await running?.plan(namespace)) ?? { ok: false, error: 'the control plane is about to end' },
  });
  const look = (seen: SeenRollout): void => {
    orders.seen(seen);
    plans.seen(seen);
  };
  const watched = new WatchedRollouts(client, look);
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
      objects: new ClusterObjects(client, { isLeader, isCurrent: (namespace) => records.isCurrent(namespace) }),
      isLeader,
      rollouts,
      onStatus({ meta }, status) {
        if (!isLeader()) return;
        const before = told.get(meta.namespace);
        told.set(meta.namespace, status);
        keeper.want(meta.namespace, meta.name, statusFields(status), before === undefined || isUrgent(before, status));
      },
      elsewhere: sources.elsewhere,
      elsewhereUntil: () => othersUntil,
      recordedElsewhere: () =>
        othersRecord()
          ? 'several replicas run, each with records of its own: only with one PostgreSQL (--audit-db postgres://...) are all there'
          : undefined,
    },
    start(started) {
      running = started;
      lookAgain();
    },
    async close() {
      running = undefined;
      clearInterval(presence);
      watched.close();
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
