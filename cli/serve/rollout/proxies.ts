import { indexedBy } from '../../../mesh/model/indexed-by.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import type { ProxiesSeen, RolloutProxies } from '../../../policy/rollout/ports.ts';
import type { StreamStatus } from '../../../xds/stream/service.ts';
import type { PublishedSnapshots } from '../published-snapshots.ts';
import type { ProxiesElsewhere } from './replica-proxies.ts';

export interface ProxySources {
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: Pick<PublishedSnapshots, 'changedSince' | 'objects'>;
  /** The namespace's proxies that other replicas have; undefined: there are no others. */
  readonly elsewhere?: ((namespace: string) => ProxiesElsewhere | undefined) | undefined;
}

/** Kinds by which it is decided who may call. */
const DECIDING: ReadonlySet<string> = new Set(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication']);

/** The namespace of an object's name as people write it: `KIND NAMESPACE/NAME`. */
function partsOf(object: string): { readonly kind: string; readonly namespace: string } {
  const [kind = '', key = ''] = object.split(' ', 2);
  return { kind, namespace: key.slice(0, Math.max(0, key.indexOf('/'))) };
}

/** The proxies of one control plane, and of its other replicas. */
export function proxiesHere({ snapshot, streams, published, elsewhere }: ProxySources): RolloutProxies {
  return {
    seen(namespace, objects): Promise<ProxiesSeen> {
      const { meshConfig } = snapshot();
      const concerns = (object: string): boolean => {
        if (object === 'MeshConfig') return true;
        const of = partsOf(object);
        return DECIDING.has(of.kind) && (of.namespace === namespace || of.namespace === meshConfig.rootNamespace);
      };
      const there = published.objects();
      const missing = objects.filter((object) => !there.has(object));
      const of = streams().filter(({ node, known }) => known && podOf(node).endsWith(`.${namespace}`));
      const behind = of.flatMap((stream): readonly string[] => {
        const pod = podOf(stream.node);
        const [rejected] = stream.rejected;
        if (rejected !== undefined)
          return [`${pod} refused ${rejected.name ?? 'its configuration'}: ${rejected.message.slice(0, 200)}`];
        const changed = published.changedSince(stream.accepted);
        return changed === undefined || [...changed].some(concerns) ? [`${pod} has not accepted it yet`] : [];
      });
      const expected = expectedProxies(snapshot(), namespace);
      const connected = new Set(of.map(({ node }) => podOf(node)));
      const others = elsewhere?.(namespace);
      const all = connected.size + (others?.connected ?? 0);
      // Which of them are elsewhere is not told, only how many.
      const away =
        others === undefined
          ? [...expected].filter((pod) => !connected.has(pod)).map((pod) => `${pod} is not connected`)
          : expected.size > all
            ? [`${expected.size - all} of ${expected.size} proxies are connected nowhere`]
            : [];
      const late = new Set(behind.map((text) => text.split(' ', 1)[0])).size + (others?.behind.length ?? 0);
      return Promise.resolve({
        expected: Math.max(expected.size, all),
        connected: all,
        acked: missing.length > 0 ? 0 : Math.max(0, all - late),
        behind: [
          ...missing.map((object) => `${object} is in no snapshot yet`),
          ...away.sort(),
          ...[...new Set(behind)].sort(),
          ...(others?.behind ?? []),
        ],
      });
    },
  };
}

function podOf(node: string): string {
  return node.split('~')[2] ?? node;
}

const workloadsOf = indexedBy<Workload>(({ namespace }) => [namespace]);

/** Pods of the namespace that have a proxy. */
function expectedProxies({ workloads }: Snapshot, namespace: string): ReadonlySet<string> {
  return new Set(
    workloadsOf(workloads, namespace).flatMap(({ instances }) =>
      instances.filter(({ meshed }) => meshed).map(({ name }) => `${name}.${namespace}`),
    ),
  );
}
