import type { Followers } from '../../ca/rotation/rotation.ts';
import type { Behind, ReplicaBehind } from '../../ca/rotation/state.ts';
import type { Answers } from '../../kubernetes/replicas/replicas.ts';

/** What this replica knows by itself. */
export interface OwnFollowers extends Followers {
  /** How far it follows the rotation, and its trust bundle, as reports say them. */
  readonly state: string;
  readonly bundle: string;
  /** Nodes of all its proxies. */
  readonly nodes: readonly string[];
  /** Whether a Pod is there, `namespace/name`. */
  readonly hasPod: (pod: string) => boolean;
}

/**
 * Who follows the trust bundle at any replica. Whatever is in doubt is in the way: a replica whose Lease has not ended must have answered, be at the same step
 * and have the same bundle; of one whose Lease has ended each proxy must be at another by now, or gone.
 */
export function followersOfAll(own: OwnFollowers, { question, replicas }: Answers): Followers {
  const behind: Behind[] = [...own.behind];
  const others: ReplicaBehind[] = [];
  const connected = new Set(own.connected);
  const nodes = new Set(own.nodes);
  const podsOfPresent = new Set(replicas.filter(({ present }) => present).map(({ pod }) => pod));
  const says = (replica: string, detail: string): void => void others.push({ replica, detail });
  for (const { id, present, report } of replicas) {
    if (!present) continue;
    if (report?.answers !== question) {
      says(id, 'has not answered what its proxies have, and its lease has not ended');
      continue;
    }
    const { rotation } = report;
    if (rotation.state !== own.state) says(id, 'is not at the same step of the rotation');
    else if (rotation.bundle !== own.bundle) says(id, 'has another trust bundle');
    if (!rotation.settled) says(id, 'has just started: its proxies have not had time to come back');
    behind.push(...rotation.behind);
    for (const identity of rotation.connected) connected.add(identity);
    for (const node of rotation.nodes) nodes.add(node);
  }
  for (const { id, present, pod, report } of replicas) {
    // A container that was started again has another id in the same Pod.
    if (present || (pod !== '' && podsOfPresent.has(pod))) continue;
    if (pod !== '' && own.hasPod(pod)) says(id, `its lease has ended, but its Pod ${pod} is there: it may still serve proxies`);
    for (const node of report?.rotation.nodes ?? [])
      if (!nodes.has(node) && own.hasPod(podOf(node)))
        behind.push({
          node,
          identity: 'not connected',
          detail: `was connected to replica ${id}, which is gone, and to none since`,
        });
  }
  return { behind, connected, expected: own.expected, replicas: others };
}

/** Of `sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local`: `shop/web-1`. */
function podOf(node: string): string {
  return (node.split('~')[2] ?? '').replace(/^(.*)\.([^.]*)$/, '$2/$1');
}
