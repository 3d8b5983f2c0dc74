import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Followers, Rotation } from '../../ca/rotation/rotation.ts';
import type { ReplicaBehind } from '../../ca/rotation/state.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Pending } from '../../kubernetes/replicas/aggregate.ts';
import type { Answers } from '../../kubernetes/replicas/replicas.ts';
import type { ReplicaReport } from '../../kubernetes/replicas/report.ts';
import type { PublishedBundle } from '../../xds/resources/source.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { behind, identitiesIn } from './admin-rotation.ts';
import { appliedObjects } from './applied.ts';
import type { Cluster } from './cluster-options.ts';
import { type RecordsElsewhere, recordsElsewhere } from './rollout/records-elsewhere.ts';
import { type ProxiesElsewhere, proxiesElsewhere, proxiesOfRollouts } from './rollout/replica-proxies.ts';
import { proxyReport } from './proxy-report.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';
import { followersOfAll } from './replica-followers.ts';
import type { ReplicaLogs } from './replica-logs.ts';

export interface ReplicaSources {
  readonly mesh: { current(): Snapshot };
  /** Of proxies and of agents. */
  readonly streams: () => readonly StreamStatus[];
  readonly bundle: () => PublishedBundle;
  readonly published: PublishedSnapshots;
  readonly rotation: Rotation;
  readonly revision: string;
  /** Which store its records of calls are in, and why that takes none. */
  readonly records: () => { readonly store: string; readonly stuck: string | undefined };
  /** Where other replicas reach this one. */
  readonly address: string | undefined;
  readonly logs: Pick<ReplicaLogs, 'position' | 'bytesOf' | 'checkpoint' | 'isCovered' | 'look'>;
  readonly isLeader: () => boolean;
  readonly clock: () => Date;
  readonly log: Logger;
}

export interface ClusterReplicas {
  /** How far objects have come among all proxies; undefined while it is not known. */
  pending(): Pending | undefined;
  /** Who follows the trust bundle, as all replicas say now. @throws when the API server cannot be asked */
  followers(): Promise<Followers>;
  /** Proxies of a namespace at the other replicas that run; undefined: no other runs. */
  elsewhere(namespace: string): ProxiesElsewhere | undefined;
  /** Why records of other replicas are perhaps not in the store of this one; undefined: all are. */
  recordsElsewhere(): RecordsElsewhere | undefined;
  /** Where the others that run are reached. */
  addresses(): readonly string[];
  close(): Promise<void>;
}

const MOST_OBJECTS = 200;
/** An object is seen before the snapshot with it is published. */
const PUBLISHED_WITHIN_MS = 1_000;
const ANSWER_MS = 10_000;
/** As for a control plane that is alone (ca/rotation). */
const SETTLE_MS = 15_000;
/** As often as there is a new one. */
const CHECKPOINT_MS = 1_000;
/** Nobody has taken its records for so long: that there were any counts for more. */
const UNCOVERED_MS = 10_000;
/** What a replica that is gone leaves behind is kept so long: in a rotation its proxies are asked after. */
const KEEP_MS = 3600_000;

/** What replicas of the control plane tell each other, by means of the cluster. */
export async function clusterReplicas(
  { client, observed, systemNamespace: namespace }: Cluster,
  sources: ReplicaSources,
): Promise<ClusterReplicas> {
  const [{ Replicas }, { pendingOfAll }, { publishCheckpoint }] = await Promise.all([
    import('../../kubernetes/replicas/replicas.ts'),
    import('../../kubernetes/replicas/aggregate.ts'),
    import('../../kubernetes/replicas/log-checkpoints.ts'),
  ]);
  const { mesh, streams, bundle, published, rotation, revision, clock, log } = sources;
  const startedMs = performance.now();
  let [configuration, previous, changedMs] = ['', '', 0];
  /** The configuration that is published by now for sure. */
  const publishedConfiguration = (): string => {
    const now = observed.configuration;
    if (now !== configuration) [previous, configuration, changedMs] = [configuration, now, performance.now()];
    return performance.now() - changedMs < PUBLISHED_WITHIN_MS ? previous : configuration;
  };
  const own = (): Pending => {
    const current = mesh.current();
    const changedSince = published.comparisons();
    const reports = streams().flatMap((status) => (status.kind === 'proxy' ? [proxyReport(status, current, changedSince)] : []));
    const objects = appliedObjects(reports, current.number, published.objects(), changedSince, false);
    return {
      proxies: reports.filter((report) => report.known).length,
      objects: new Map(objects.flatMap((one) => (one.file === undefined ? [] : [[one.file, one] as const]))),
    };
  };
  const state = (): string => {
    const { phase, since } = rotation.status();
    return `${phase} ${since}`;
  };
  const bundleHash = (): string => createHash('sha256').update(bundle().bundle.rootsPem).digest('hex');
  const connected = (): readonly string[] => [
    ...new Set(streams().flatMap(({ kind, identity }) => (kind === 'proxy' && identity !== undefined ? [identity] : []))),
  ];
  const report = (): Omit<ReplicaReport, 'answers'> => {
    // First of all: what is told after it is not older.
    const seen = publishedConfiguration();
    const { proxies, objects } = own();
    const rotating = rotation.status().phase !== 'steady';
    return {
      configuration: seen,
      proxies,
      objects: [...objects]
        .slice(0, MOST_OBJECTS)
        .map(([place, { applied, lagging, rejectedBy }]) => ({ place, applied, lagging, rejectedBy })),
      more: objects.size > MOST_OBJECTS,
      records: sources.records(),
      rollouts: proxiesOfRollouts(mesh.current(), streams()),
      rotation: {
        state: state(),
        bundle: bundleHash(),
        settled: performance.now() - startedMs > SETTLE_MS,
        behind: rotating ? behind(streams(), bundle()) : [],
        connected: rotating ? connected() : [],
        nodes: rotating ? streams().map(({ node }) => node) : [],
      },
      log: sources.logs.position(),
    };
  };
  const pod = process.env['POD_NAME'] ?? '';
  const name = (pod === '' ? hostname() : pod).toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
  const replicas = new Replicas({
    client,
    namespace,
    id: `${name.slice(0, 180)}-${randomBytes(4).toString('hex')}`,
    pod: pod === '' ? '' : `${namespace}/${pod}`,
    revision,
    address: () => sources.address,
    report,
    clock,
    log,
  });
  replicas.onChange(() => sources.logs.look());
  await replicas.listed(ANSWER_MS);
  const gone = new Map<string, number>();
  const sweep = setInterval(() => {
    if (!sources.isLeader() || rotation.status().phase !== 'steady') return gone.clear();
    for (const { id, present } of replicas.others()) {
      if (present) gone.delete(id);
      else if (!gone.has(id)) gone.set(id, performance.now());
      else if (performance.now() - (gone.get(id) ?? 0) > KEEP_MS) {
        gone.delete(id);
        replicas.forget(id).catch((error: unknown) => log.warn({ err: error, replica: id }, 'what it left behind stays'));
      }
    }
  }, 60_000);
  sweep.unref();
  let toldCheckpoint = '';
  let next:
    | {
        readonly checkpoint: NonNullable<ReturnType<typeof sources.logs.checkpoint>>;
        readonly bytes: number;
        readonly at: number;
      }
    | undefined;
  const publish = async (): Promise<void> => {
    const newest = sources.logs.checkpoint();
    const { origin, bytes } = sources.logs.position();
    if (next === undefined && newest !== undefined && newest.note !== toldCheckpoint)
      next = { checkpoint: newest, bytes, at: performance.now() };
    if (next === undefined) return;
    // It swears to records that, were this replica lost now, nobody else would have: their copies would look cut.
    if (!sources.logs.isCovered(next.bytes) && performance.now() - next.at < UNCOVERED_MS) return;
    const { checkpoint } = next;
    await publishCheckpoint(client, namespace, origin, checkpoint);
    toldCheckpoint = checkpoint.note;
    next = undefined;
  };
  let busy = false;
  const publishing = setInterval(() => {
    if (busy) return;
    busy = true;
    publish()
      .catch((error: unknown) => log.info({ err: error }, "the issuance log's checkpoint is not in the cluster yet"))
      .finally(() => (busy = false));
  }, CHECKPOINT_MS);
  publishing.unref();
  return {
    pending: () => pendingOfAll(own(), replicas.others(), revision, (since) => observed.changedSince(since)),
    async followers() {
      const answers = await replicas.ask(ANSWER_MS).catch((error: unknown) => {
        log.warn({ err: error }, 'the other replicas cannot be asked what their proxies have');
        return undefined;
      });
      const current = mesh.current();
      const all = streams();
      let pods: ReadonlySet<string> | undefined;
      const mine = {
        behind: behind(all, bundle()),
        connected: new Set(connected()),
        expected: identitiesIn(current),
        state: state(),
        bundle: bundleHash(),
        nodes: all.map(({ node }) => node),
        hasPod(name: string): boolean {
          pods ??= new Set(
            current.workloads.flatMap(({ namespace: where, instances }) =>
              instances.map((instance) => `${where}/${instance.name}`),
            ),
          );
          return pods.has(name);
        },
      };
      if (answers === undefined)
        return { ...mine, replicas: [{ replica: 'all others', detail: 'cannot be asked: the API server is away, or refuses' }] };
      const missing = await missingLogs(answers, sources.logs);
      const found = followersOfAll(mine, answers);
      return { ...found, replicas: [...(found.replicas ?? []), ...missing] };
    },
    elsewhere: (namespace) =>
      proxiesElsewhere([namespace, mesh.current().meshConfig.rootNamespace], replicas.others(), () =>
        pendingOfAll({ proxies: 0, objects: new Map() }, replicas.others(), revision, (since) => observed.changedSince(since)),
      ),
    recordsElsewhere: () => recordsElsewhere(sources.records().store, replicas.others()),
    addresses: () => replicas.others().flatMap(({ present, address }) => (present && address !== '' ? [address] : [])),
    async close() {
      clearInterval(sweep);
      clearInterval(publishing);
      await replicas.close();
    },
  };
}

const LOGS_MS = 5_000;

/** Which certificates are in use is known only from all logs, as far as each was when it was asked. */
async function missingLogs({ replicas }: Answers, { bytesOf }: Pick<ReplicaLogs, 'bytesOf'>): Promise<readonly ReplicaBehind[]> {
  const until = performance.now() + LOGS_MS;
  for (;;) {
    const missing = replicas.flatMap(({ id, present, report }) =>
      present && report?.log !== undefined && bytesOf(report.log.origin) < report.log.bytes
        ? [{ replica: id, detail: 'not all of its issuance log is here yet' }]
        : [],
    );
    if (missing.length === 0 || performance.now() > until) return missing;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
