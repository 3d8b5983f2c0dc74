import type { Hostname } from '../../mesh/model/hostname.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { clusterHost } from '../../routing/names.ts';
import type { View } from '../../routing/view.ts';
import { automaticScope, type Reason, type Reasons, type Seen } from './rule.ts';
import { scopedAutomatically } from './switch.ts';

/** What was seen of calls, from the time before this process too. */
export interface ObservedCalls {
  /** The services that a workload (`namespace/name`) was seen to call since then, the same object as long as they are the same. */
  calledBy(workload: string): ReadonlyMap<Hostname, Seen>;
}

export interface ScopeOptions {
  /** Whether proxies are scoped about whom no label says anything. */
  readonly everywhere: boolean;
  readonly observed: ObservedCalls;
  readonly clock: () => Date;
}

/** The hosts of one scope; equal scopes are the same object. */
export interface HostSet {
  readonly hosts: ReadonlySet<Hostname>;
}

/** Asked for by a workload: no more than this is remembered, so that whoever asks for much cannot fill memory. */
const MOST_ASKED = 50_000;
const PRUNED_AFTER = 64;

interface Ruled {
  readonly inputs: readonly unknown[];
  readonly reasons: Reasons;
}

interface Pod {
  readonly inputs: readonly unknown[];
  readonly set: HostSet;
}

function sameInputs(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

const NOTHING: ReadonlyMap<Hostname, number> = new Map();

/**
 * What proxies with an automatic scope are told of, kept from one snapshot to the next (docs/decisions/0016). What a proxy was given is not taken from
 * it while it runs: a connection is seen when it ends, and one that is open would be cut; and Envoy asks for a name once only.
 */
export class AutomaticScopes {
  readonly #options: ScopeOptions;
  readonly #asked = new Map<string, ReadonlyMap<Hostname, number>>();
  readonly #ruled = new Map<string, Ruled>();
  /** By `namespace/pod`. */
  readonly #held = new Map<string, ReadonlySet<Hostname>>();
  readonly #pods = new Map<string, Pod>();
  readonly #interned = new Map<string, WeakRef<HostSet>>();
  #published = 0;

  constructor(options: ScopeOptions) {
    this.#options = options;
  }

  scoped(snapshot: Snapshot, proxy: Proxy, sidecar: Sidecar | undefined): boolean {
    return scopedAutomatically(snapshot, proxy, sidecar, this.#options.everywhere);
  }

  /** The services that a proxy is to have clusters for. */
  hostsFor(snapshot: Snapshot, view: View, proxy: Proxy): HostSet {
    const pod = podKey(proxy);
    const reasons = this.#rule(snapshot, view, proxy);
    const held = this.#held.get(pod);
    const before = this.#pods.get(pod);
    const inputs = [reasons, held];
    if (before !== undefined && sameInputs(before.inputs, inputs)) return before.set;
    const hosts = new Set([...reasons.keys(), ...(held ?? [])]);
    const set = this.#intern(hosts);
    this.#held.set(pod, set.hosts);
    this.#pods.set(pod, { inputs: [reasons, set.hosts], set });
    return set;
  }

  /** Why each service is in a proxy's scope. */
  explain(snapshot: Snapshot, view: View, proxy: Proxy): Reasons {
    const reasons = this.#rule(snapshot, view, proxy);
    const found = new Map<Hostname, readonly Reason[]>(reasons);
    for (const host of this.hostsFor(snapshot, view, proxy).hosts) {
      const known = view.serviceByHost.has(host);
      if (known && !found.has(host)) found.set(host, [{ kind: 'held' }]);
    }
    return found;
  }

  /** A proxy asks for clusters by their names: its workload has them from now on. */
  ask({ workload }: Proxy, clusters: readonly string[]): void {
    const key = keyOf(workload);
    const before = this.#asked.get(key) ?? NOTHING;
    const now = this.#options.clock().getTime();
    const hosts = clusters.flatMap((name) => clusterHost(name) ?? []).filter((host) => !before.has(host));
    const room = Math.max(0, MOST_ASKED - before.size);
    if (hosts.length > 0 && room > 0)
      this.#asked.set(key, new Map([...before, ...hosts.slice(0, room).map((host) => [host, now] as const)]));
  }

  /** A proxy begins with these clusters: none where it has just been started, and then what one of its name had before is forgotten. */
  begin(proxy: Proxy, clusters: Iterable<string>): void {
    const hosts = new Set<Hostname>();
    for (const name of clusters) {
      const host = clusterHost(name);
      if (host !== undefined) hosts.add(host);
    }
    this.hold(proxy, hosts, true);
  }

  /** A proxy has these, and keeps them. */
  hold(proxy: Proxy, hosts: Iterable<Hostname>, only = false): void {
    const pod = podKey(proxy);
    const before = only ? undefined : this.#held.get(pod);
    this.#held.set(pod, this.#intern(new Set([...(before ?? []), ...hosts])).hosts);
    this.#pods.delete(pod);
  }

  /** What is kept of pods and workloads that are gone is forgotten, now and then. */
  publish({ workloads }: Snapshot): void {
    this.#published += 1;
    if (this.#published % PRUNED_AFTER !== 0) return;
    const names = new Set(workloads.map(keyOf));
    const pods = new Set(workloads.flatMap(({ namespace, instances }) => instances.map(({ name }) => `${namespace}/${name}`)));
    for (const key of this.#asked.keys()) if (!names.has(key)) this.#asked.delete(key);
    for (const key of this.#ruled.keys()) if (!names.has(key.split(' ')[0] ?? '')) this.#ruled.delete(key);
    for (const map of [this.#held, this.#pods]) for (const key of map.keys()) if (!pods.has(key)) map.delete(key);
    for (const [key, set] of this.#interned) if (set.deref() === undefined) this.#interned.delete(key);
  }

  #rule(snapshot: Snapshot, view: View, { workload }: Proxy): Reasons {
    const key = keyOf(workload);
    const called = this.#options.observed.calledBy(key);
    const asked = this.#asked.get(key) ?? NOTHING;
    const { services, virtualServices, authorizationPolicies, meshConfig } = snapshot;
    const inputs = [called, asked, services, virtualServices, authorizationPolicies, meshConfig, workload.serviceAccount];
    const before = this.#ruled.get(key);
    if (before !== undefined && sameInputs(before.inputs, inputs)) return before.reasons;
    const reasons = automaticScope(snapshot, view, workload, { called, asked });
    this.#ruled.set(key, { inputs, reasons });
    return reasons;
  }

  #intern(hosts: ReadonlySet<Hostname>): HostSet {
    const key = [...hosts].sort().join(' ');
    const known = this.#interned.get(key)?.deref();
    if (known !== undefined) return known;
    const made = Object.freeze({ hosts });
    this.#interned.set(key, new WeakRef(made));
    return made;
  }
}

function podKey({ workload, instance }: Proxy): string {
  return `${workload.namespace}/${instance.name}`;
}
