import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { mtlsMode } from '../../policy/peer-authentication/mode.ts';
import { callerKey, captureOf } from '../../routing/caller.ts';
import { type Change, changeBetween } from '../../routing/change.ts';
import { type Interruptible, uninterrupted } from '../../routing/interruptible.ts';
import type { Scope } from '../../routing/scope.ts';
import type { InboundSecurity } from '../../routing/security.ts';
import { changedView, viewFrom } from '../../routing/view.ts';
import type { ScopeSet } from '../scope/scopes.ts';
import { type Narrowed, narrowedTo } from './narrowed.ts';
import { composeOutbound, type Outbound, patchOutbound } from './outbound.ts';
import { cutOffAddresses } from './revoked-endpoints.ts';

interface Entry {
  readonly snapshot: Snapshot;
  readonly revoked: RevokedPeers;
  readonly outbound: Outbound;
}

/** A view that is being composed, for the snapshot that was the newest when that began. */
interface Making extends Omit<Entry, 'outbound'> {
  readonly key: string;
  readonly kind: string;
  readonly work: Interruptible<Outbound>;
}

/** Where a proxy's view is to be found, and how it is made. */
interface Place {
  readonly key: string;
  readonly kind: string;
  readonly proxy: Proxy;
  readonly sidecar: Sidecar | undefined;
  readonly revoked: RevokedPeers;
  readonly onDemand: boolean;
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
  /** What {@link prepare} is at. One at a time: the first is ready first, and the next begins with what they share. */
  #making: Making | undefined;
  /** The view that was composed last, if that was for a snapshot that had been overtaken meanwhile. */
  #overtaken: string | undefined;

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
    const place = this.#placeOf(proxy, sidecar, revoked, onDemand);
    const known = this.#kept(place);
    if (known !== undefined) return known;
    const making = this.#begin(place);
    return this.#keep(making, uninterrupted(making.work));
  }

  /**
   * Composes what {@link outbound} would have to compose, for as long as it may.
   * @returns whether that is done: `outbound` gives what is there, or patches it
   */
  prepare(proxy: Proxy, sidecar: Sidecar | undefined, revoked: RevokedPeers, onDemand: boolean, mayGoOn: () => boolean): boolean {
    const place = this.#placeOf(proxy, sidecar, revoked, onDemand);
    for (;;) {
      if (this.#making === undefined) {
        if (this.#kept(place) !== undefined) return true;
        // What is overtaken again and again, by changes that leave nothing in its place, would never be ready: the second is made at once.
        if (this.#overtaken === place.key) return true;
        this.#making = this.#begin(place);
      }
      if (!this.#advance(this.#making, place, mayGoOn)) return false;
    }
  }

  /** @returns whether it is over */
  #advance(making: Making, { key }: Place, mayGoOn: () => boolean): boolean {
    try {
      do {
        const { done, value } = making.work.next();
        if (done !== true) continue;
        this.#making = undefined;
        this.#keep(making, value);
        this.#overtaken = making.snapshot === this.#snapshot ? undefined : making.key;
        return true;
      } while (mayGoOn());
    } catch (error) {
      // Whoever asks for another view has no part in it: those that ask for this one find it out for themselves.
      this.#making = undefined;
      if (making.key === key) throw error;
      return true;
    }
    return false;
  }

  #placeOf(proxy: Proxy, sidecar: Sidecar | undefined, revoked: RevokedPeers, onDemand: boolean): Place {
    const kind = `${proxy.kind === 'gateway' ? 'gateway' : captureOf(proxy.instance)}${onDemand ? ' on demand' : ''}`;
    const key = this.#keyOf(kind, proxy, sidecar);
    this.#asked.set(key, this.#age);
    return { key, kind, proxy, sidecar, revoked, onDemand };
  }

  #scope({ proxy, sidecar, onDemand }: Place, view: Scope['view']): Scope {
    return { snapshot: this.#snapshot, proxy, security: this.#security, sidecar, onDemand, view };
  }

  /** As it is, or as it is patched; undefined where it has to be composed. */
  #kept(place: Place): Outbound | undefined {
    const { key, sidecar, revoked } = place;
    const snapshot = this.#snapshot;
    const before = this.#entries.get(key);
    if (before === undefined) return undefined;
    if (before.snapshot === snapshot && before.revoked === revoked) return before.outbound;
    const change = this.#since(before, revoked);
    const made = change && this.#patched(before, change, sidecar, revoked, (view) => this.#scope(place, view));
    return made && this.#keep({ ...place, snapshot }, made);
  }

  #begin(place: Place): Making {
    const { key, kind, proxy, sidecar, revoked } = place;
    const snapshot = this.#snapshot;
    const before = this.#entries.get(key);
    const change = before && this.#since(before, revoked);
    const view = viewFrom(snapshot, proxy.workload.namespace, sidecar);
    const similar = before?.outbound ?? this.#similar.get(kind);
    return { key, kind, snapshot, revoked, work: composeOutbound(this.#scope(place, view), revoked, similar, change) };
  }

  #keep({ key, kind, snapshot, revoked }: Omit<Making, 'work'>, outbound: Outbound): Outbound {
    this.#similar.set(kind, outbound);
    this.#entries.set(key, { snapshot, revoked, outbound });
    return outbound;
  }

  /** Of a view the part that a scope leaves. */
  narrowed(proxy: Proxy, outbound: Outbound, set: ScopeSet): Narrowed {
    return narrowedTo(set, this.#keyOf(captureOf(proxy.instance), proxy, undefined), outbound);
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
    const { lists } = change;
    if (lists === undefined) return undefined;
    // What a Sidecar imports follows from where routes lead.
    if (sidecar !== undefined && sidecar.egress.length > 0 && change.replacedVirtuals) return undefined;
    const view = changedView(outbound.view, lists);
    return view && patchOutbound(outbound, scope(view), revoked, change, lists);
  }

  #changeSince(before: Snapshot): Change | undefined {
    if (this.#changes.has(before)) return this.#changes.get(before);
    const made = changeBetween(before, this.#snapshot);
    this.#changes.set(before, made);
    return made;
  }
}
