import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { mtlsMode } from '../../policy/peer-authentication/mode.ts';
import { callerKey } from '../../routing/caller.ts';
import { type Change, changeBetween } from '../../routing/change.ts';
import { virtualServices } from '../../routing/delegates.ts';
import type { Scope } from '../../routing/scope.ts';
import type { InboundSecurity } from '../../routing/security.ts';
import { changedView, viewFrom } from '../../routing/view.ts';
import type { HostSet } from '../scope/scopes.ts';
import { type Narrowed, narrowedTo } from './narrowed.ts';
import { composeOutbound, type Outbound, patchOutbound } from './outbound.ts';
import { cutOffAddresses } from './revoked-endpoints.ts';

interface Entry {
  readonly snapshot: Snapshot;
  readonly revoked: RevokedPeers;
  readonly outbound: Outbound;
}

/** A view that no proxy has asked for during as many snapshots is forgotten. */
const FORGOTTEN_AFTER = 32;

/** Of what others have in front of them; what is in front of the proxy itself is not asked here. */
function peerSecurity(snapshot: Snapshot): InboundSecurity {
  return {
    mtlsMode: () => 'PERMISSIVE',
    peerMtlsMode: (peer, port) => mtlsMode(snapshot, peer, port),
    httpFilters: () => [],
    networkFilters: () => [],
  };
}

/** What the proxies of each view call, kept from one snapshot to the next and changed by as little as there is to change. */
export class Views {
  readonly #entries = new Map<string, Entry>();
  readonly #asked = new Map<string, number>();
  /** The last that was composed of each kind: views of several namespaces differ little. */
  readonly #similar = new Map<string, Outbound>();
  #snapshot: Snapshot;
  #age = 0;
  #security: InboundSecurity;
  #changes = new Map<Snapshot, Change | undefined>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#security = peerSecurity(snapshot);
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#security = peerSecurity(snapshot);
    this.#changes = new Map();
    this.#age += 1;
    for (const [key, age] of this.#asked) {
      if (age >= this.#age - FORGOTTEN_AFTER) continue;
      this.#asked.delete(key);
      this.#entries.delete(key);
    }
  }

  /** @param onDemand its proxies ask for clusters that they were not told of, so that they may be told of some only */
  outbound(proxy: Proxy, sidecar: Sidecar | undefined, revoked: RevokedPeers, onDemand: boolean): Outbound {
    const snapshot = this.#snapshot;
    const { namespace } = proxy.workload;
    const kind = `${proxy.kind === 'gateway' ? 'gateway' : proxy.instance.capture.kind}${onDemand ? ' on demand' : ''}`;
    const key = this.#keyOf(kind, proxy, sidecar);
    this.#asked.set(key, this.#age);
    const before = this.#entries.get(key);
    if (before !== undefined && before.snapshot === snapshot && before.revoked === revoked) return before.outbound;
    const scope = (view: Scope['view']): Scope => ({ snapshot, proxy, security: this.#security, sidecar, onDemand, view });
    const change = before === undefined ? undefined : this.#since(before, revoked);
    let made: Outbound | undefined;
    if (before !== undefined && change !== undefined) made = this.#patched(before, change, sidecar, revoked, scope);
    if (made === undefined) {
      const view = viewFrom(snapshot, namespace, sidecar);
      made = composeOutbound(scope(view), revoked, before?.outbound ?? this.#similar.get(kind), change);
      this.#similar.set(kind, made);
    }
    this.#entries.set(key, { snapshot, revoked, outbound: made });
    return made;
  }

  /** Of a view the part that a scope leaves. */
  narrowed(proxy: Proxy, outbound: Outbound, set: HostSet): Narrowed {
    return narrowedTo(set, this.#keyOf(proxy.instance.capture.kind, proxy, undefined), outbound);
  }

  #keyOf(kind: string, proxy: Proxy, sidecar: Sidecar | undefined): string {
    const owner = sidecar === undefined ? '' : keyOf(sidecar.meta);
    return `${kind} ${proxy.workload.namespace} ${owner} ${callerKey(this.#snapshot, proxy)}`;
  }

  /** Undefined where any piece may be another. */
  #since({ snapshot, revoked: before, outbound }: Entry, revoked: RevokedPeers): Change | undefined {
    if (outbound.open || cutOffAddresses(snapshot, before) !== cutOffAddresses(this.#snapshot, revoked)) return undefined;
    return this.#changeSince(snapshot);
  }

  #patched(
    { outbound }: Entry,
    change: Change,
    sidecar: Sidecar | undefined,
    revoked: RevokedPeers,
    scope: (view: Scope['view']) => Scope,
  ): Outbound | undefined {
    if (!change.inPlace) return undefined;
    // What a Sidecar imports follows from where routes lead.
    if (sidecar !== undefined && sidecar.egress.length > 0 && change.replacedVirtuals) return undefined;
    const view = changedView(outbound.view, virtualServices(this.#snapshot), change.replaced);
    return view === undefined ? undefined : patchOutbound(outbound, scope(view), revoked, change);
  }

  #changeSince(before: Snapshot): Change | undefined {
    if (this.#changes.has(before)) return this.#changes.get(before);
    const made = changeBetween(before, this.#snapshot);
    this.#changes.set(before, made);
    return made;
  }
}
