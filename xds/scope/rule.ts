import { withoutScheme, workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Hostname } from '../../mesh/model/hostname.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { mayCall } from '../../policy/access/may-call.ts';
import { askedBy } from '../../routing/caller.ts';
import { calledByItself } from '../../routing/clusters/authorizers.ts';
import { virtualServices } from '../../routing/delegates.ts';
import type { View } from '../../routing/view.ts';

/** When calls to a service were seen; milliseconds since the epoch. */
export interface Seen {
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** Why a service is in a scope. */
export type Reason =
  /** It was called, and policy may allow that. */
  | ({ readonly kind: 'called' } & Seen)
  /** A proxy asked for it when a call needed it. */
  | { readonly kind: 'asked'; readonly at: number }
  /** A VirtualService (`namespace/name`) leads to it as well as to something else of the scope. */
  | { readonly kind: 'routed'; readonly by: string }
  /** A VirtualService mirrors requests to it: nothing waits for a mirror, so it has to be there before. */
  | { readonly kind: 'mirrored'; readonly by: string }
  /** An authorizer, or a collector of spans or logs, which proxies call by themselves. */
  | { readonly kind: 'provider' }
  /** The proxy has it, and may be using it. */
  | { readonly kind: 'held' };

export type Reasons = ReadonlyMap<Hostname, readonly Reason[]>;

/** What is known of the calls of one workload. */
export interface Known {
  readonly called: ReadonlyMap<Hostname, Seen>;
  readonly asked: ReadonlyMap<Hostname, number>;
}

const ONE = 'one';
const mirroring = indexedBy<VirtualService>(({ http }) => (http.some(({ mirrors }) => mirrors.length > 0) ? [ONE] : []));
const leading = indexedBy<VirtualService>((virtual) => askedBy(virtual).hosts);

/**
 * The services that a workload's proxies are told of before they ask: those that it was seen to call and that policy may allow it to call; those
 * that it asked for, whatever policy says, as the destination is to refuse them and report that; where VirtualServices lead that lead to one of
 * these; and what no call waits for. Pure.
 */
export function automaticScope(snapshot: Snapshot, view: View, workload: Workload, { called, asked }: Known): Reasons {
  const found = new Map<Hostname, Reason[]>();
  const add = (host: Hostname, reason: Reason): void => {
    const service = view.serviceByHost.get(host) ?? view.aliased(host);
    if (service === undefined) return;
    const reasons = found.get(service.hostname);
    if (reasons === undefined) found.set(service.hostname, [reason]);
    else reasons.push(reason);
  };
  const identity = workloadSpiffeId(snapshot.meshConfig.trustDomain, workload.namespace, workload.serviceAccount);
  const id = withoutScheme(identity);
  for (const [host, seen] of called) {
    const service = view.serviceByHost.get(host);
    if (service !== undefined && mayCall(snapshot, id, service)) add(host, { kind: 'called', ...seen });
  }
  for (const [host, at] of asked) add(host, { kind: 'asked', at });
  const virtuals = virtualServices(snapshot);
  const sees = (virtual: VirtualService) => view.virtualServiceNamed(keyOf(virtual.meta)) === virtual;
  const beside = new Set<VirtualService>();
  for (const host of found.keys()) {
    const own = view.virtualServiceFor(host);
    if (own !== undefined) beside.add(own);
    for (const virtual of leading(virtuals, host)) if (sees(virtual)) beside.add(virtual);
  }
  for (const virtual of beside) for (const host of askedBy(virtual).hosts) add(host, { kind: 'routed', by: keyOf(virtual.meta) });
  for (const virtual of mirroring(virtuals, ONE)) {
    if (!sees(virtual)) continue;
    for (const { mirrors } of virtual.http)
      for (const { destination } of mirrors) add(destination.host, { kind: 'mirrored', by: keyOf(virtual.meta) });
  }
  for (const { hostname } of calledByItself(snapshot))
    found.set(hostname, [...(found.get(hostname) ?? []), { kind: 'provider' }]);
  return found;
}
