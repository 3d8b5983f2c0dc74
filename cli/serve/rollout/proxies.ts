import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { ProxiesSeen, RolloutProxies } from '../../../policy/rollout/ports.ts';
import type { StreamStatus } from '../../../xds/stream/service.ts';
import type { PublishedSnapshots } from '../published-snapshots.ts';

export interface ProxySources {
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: Pick<PublishedSnapshots, 'changedSince' | 'objects'>;
}

/** Kinds by which it is decided who may call. */
const DECIDING: ReadonlySet<string> = new Set(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication']);

/** The namespace of an object's name as people write it: `KIND NAMESPACE/NAME`. */
function partsOf(object: string): { readonly kind: string; readonly namespace: string } {
  const [kind = '', key = ''] = object.split(' ', 2);
  return { kind, namespace: key.slice(0, Math.max(0, key.indexOf('/'))) };
}

/** The proxies of one control plane that has them all. */
export function proxiesHere({ snapshot, streams, published }: ProxySources): RolloutProxies {
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
      const away = [...expected].filter((pod) => !connected.has(pod)).map((pod) => `${pod} is not connected`);
      return Promise.resolve({
        expected: Math.max(expected.size, connected.size),
        connected: connected.size,
        acked: missing.length > 0 ? 0 : connected.size - new Set(behind.map((text) => text.split(' ', 1)[0])).size,
        behind: [...missing.map((object) => `${object} is in no snapshot yet`), ...away.sort(), ...[...new Set(behind)].sort()],
      });
    },
  };
}

function podOf(node: string): string {
  return node.split('~')[2] ?? node;
}

/** Pods of the namespace that have a proxy. */
function expectedProxies({ workloads }: Snapshot, namespace: string): ReadonlySet<string> {
  return new Set(
    workloads
      .filter((workload) => workload.namespace === namespace)
      .flatMap(({ instances }) => instances.filter(({ meshed }) => meshed).map(({ name }) => `${name}.${namespace}`)),
  );
}
