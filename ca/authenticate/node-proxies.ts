import { parseSpiffeId, type SpiffeId, trustDomainOf, workloadOf } from '../identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { Caller, CallerPod } from './caller.ts';

/** A pod as the cluster knows it. */
export interface PlacedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
  readonly serviceAccount: string;
}

/** Where pods run: all pods of a node, and the node of a pod. Answers from what is known now; nothing for what is not known. */
export interface PodPlacement {
  nodeOf(namespace: string, name: string): string | undefined;
  podsOnNode(node: string): readonly PlacedPod[];
}

export interface NodeProxyRules {
  /** Service accounts of node proxies, `NAMESPACE/NAME`. */
  readonly trusted: ReadonlySet<string>;
  readonly placement: PodPlacement;
}

export type Impersonate = (caller: Caller, asked: string) => Outcome<SpiffeId>;

/**
 * A node proxy (ztunnel) may ask for the identities of the pods beside it, as in istiod: its account is listed, its token is bound to a
 * pod, that pod runs under that account, and a pod with the identity asked for runs on the same node.
 */
export function nodeProxies({ trusted, placement }: NodeProxyRules): Impersonate {
  return (caller, asked) => {
    const id = parseSpiffeId(asked);
    if (!id.ok) return refuse('invalid', `the identity to impersonate is no SPIFFE ID: ${id.reason}`);
    const [own, other] = [workloadOf(caller.id), workloadOf(id.value)];
    if (own === undefined || !trusted.has(`${own.namespace}/${own.serviceAccount}`))
      return refuse('forbidden', `${caller.id} is no trusted node proxy: it may not impersonate`);
    if (other === undefined || trustDomainOf(id.value) !== own.trustDomain)
      return refuse('forbidden', 'the identity to impersonate is no workload of this trust domain');
    if (caller.pod === undefined) return refuse('forbidden', 'a node proxy must show a token that is bound to its pod');
    const node = nodeOfCaller(caller.pod, own.serviceAccount, placement);
    if (node === undefined)
      return refuse('forbidden', "the node proxy's pod is not known, or is another one than its token says");
    const there = placement
      .podsOnNode(node)
      .some(({ namespace, serviceAccount }) => namespace === other.namespace && serviceAccount === other.serviceAccount);
    return there ? outcome(id.value) : refuse('forbidden', `no pod on the caller's node has the identity ${id.value}`);
  };
}

function nodeOfCaller(pod: CallerPod, serviceAccount: string, placement: PodPlacement): string | undefined {
  const node = placement.nodeOf(pod.namespace, pod.name);
  if (node === undefined || (pod.node !== undefined && pod.node !== node)) return undefined;
  const known = placement.podsOnNode(node).find(({ namespace, name }) => namespace === pod.namespace && name === pod.name);
  // A token outlives its pod by a little; a pod of the same name may be elsewhere by then.
  if (known?.serviceAccount !== serviceAccount || (pod.uid !== undefined && pod.uid !== known.uid)) return undefined;
  return node;
}

/** Without a list of node proxies nobody impersonates. */
export const noImpersonation: Impersonate = () =>
  refuse('forbidden', 'impersonation is not allowed here: no node proxies are trusted');
