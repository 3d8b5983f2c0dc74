import type { Hostname } from '../../mesh/model/hostname.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Service } from '../../mesh/model/service.ts';
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

/** What a proxy is told of; equal scopes are the same object. */
export interface ScopeSet {
  /** Services of which it has all clusters. */
  readonly hosts: ReadonlySet<Hostname>;
  /** Clusters that were asked for by their names: where there is none, one without endpoints answers at once. */
  readonly names: ReadonlySet<string>;
}

interface Asked {
  readonly hosts: ReadonlyMap<Hostname, number>;
  readonly names: ReadonlySet<string>;
}

/** Of names that a workload asks for no more are remembered: whoever asks for what there is not must not fill memory. Services are, all of them. */
const MOST_NAMES = 10_000;
const PRUNED_AFTER = 64;

/** A pod as its proxy names it. */
export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

interface Ruled {
  readonly inputs: readonly unknown[];
  readonly reasons: Reasons;
}

interface Pod {
  readonly inputs: readonly unknown[];
  readonly set: ScopeSet;
}

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);

const NOTHING: Asked = Object.freeze({ hosts: new Map(), names: new Set<string>() });

const everything = new WeakMap<View['serviceByHost'], ScopeSet>();

function everythingIn({ serviceByHost }: View): ScopeSet {
  const known = everything.get(serviceByHost) ?? Object.freeze({ hosts: new Set(serviceByHost.keys()), names: NOTHING.names });
  everything.set(serviceByHost, known);
  return known;
}

function sameInputs(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

/**
 * What proxies with an automatic scope are told of, kept from one snapshot to the next (docs/decisions/0016). What a proxy was given is not taken from
 * it while it runs: a connection is seen when it ends, and one that is open would be cut; and Envoy asks for a name once only.
 */
export class AutomaticScopes {
  readonly #options: ScopeOptions;
  readonly #asked = new Map<string, Asked>();
  readonly #ruled = new Map<string, Ruled>();
  /** By `namespace/pod`. */
  readonly #held = new Map<string, ReadonlySet<Hostname>>();
  readonly #pods = new Map<string, Pod>();
  readonly #interned = new Map<string, WeakRef<ScopeSet>>();
  #published = 0;

  constructor(options: ScopeOptions) {
    this.#options = options;
  }

  scoped(snapshot: Snapshot, proxy: Proxy, sidecar: Sidecar | undefined): boolean {
    return scopedAutomatically(snapshot, proxy, sidecar, this.#options.everywhere);
  }

  /**
   * The services that a proxy is to have clusters for: all, before it has said with which it begins. One that comes back may ask for something else
   * first, and what it holds must not be taken away by the answer.
   */
  scopeFor(snapshot: Snapshot, view: View, proxy: Proxy): ScopeSet {
    const pod = podKey(proxy);
    const held = this.#held.get(pod);
    if (held === undefined) return everythingIn(view);
    const reasons = this.#rule(snapshot, view, proxy);
    const before = this.#pods.get(pod);
    const { names } = this.#askedBy(proxy);
    const inputs = [reasons, held, names];
    if (before !== undefined && sameInputs(before.inputs, inputs)) return before.set;
    const hosts = new Set([...reasons.keys(), ...held]);
    const set = this.#intern(hosts, names);
    this.#held.set(pod, set.hosts);
    this.#pods.set(pod, { inputs: [reasons, set.hosts, names], set });
    return set;
  }

  /** Why each service is in a proxy's scope. */
  explain(snapshot: Snapshot, view: View, proxy: Proxy): Reasons {
    const reasons = this.#rule(snapshot, view, proxy);
    const found = new Map<Hostname, readonly Reason[]>(reasons);
    for (const host of this.scopeFor(snapshot, view, proxy).hosts) {
      const known = view.serviceByHost.has(host);
      if (known && !found.has(host)) found.set(host, [{ kind: 'held' }]);
    }
    return found;
  }

  /** A proxy asks for clusters by their names: its workload has them from now on, once there are such. */
  ask(snapshot: Snapshot, { workload }: Proxy, clusters: readonly string[]): void {
    const key = keyOf(workload);
    const before = this.#asked.get(key) ?? NOTHING;
    const now = this.#options.clock().getTime();
    const hosts = new Map(before.hosts);
    const names = new Set(before.names);
    for (const name of clusters) {
      const host = clusterHost(name);
      if (host === undefined || names.has(name)) continue;
      const room = names.size < MOST_NAMES;
      if (!hosts.has(host) && (room || byHost(snapshot.services, host).length > 0)) hosts.set(host, now);
      if (room) names.add(name);
    }
    if (names.size > before.names.size || hosts.size > before.hosts.size) this.#asked.set(key, { hosts, names });
  }

  #askedBy({ workload }: Pick<Proxy, 'workload'>): Asked {
    return this.#asked.get(keyOf(workload)) ?? NOTHING;
  }

  /** A proxy begins with these clusters: none where it has just been started, and then what one of its name had before is forgotten. */
  begin(pod: PodName, clusters: Iterable<string>): void {
    const hosts = new Set<Hostname>();
    for (const name of clusters) {
      const host = clusterHost(name);
      if (host !== undefined) hosts.add(host);
    }
    this.#hold(`${pod.namespace}/${pod.pod}`, hosts);
  }

  /** A proxy has these, and keeps them. */
  hold(proxy: Proxy, hosts: Iterable<Hostname>): void {
    const pod = podKey(proxy);
    this.#hold(pod, new Set([...(this.#held.get(pod) ?? []), ...hosts]));
  }

  #hold(pod: string, hosts: ReadonlySet<Hostname>): void {
    this.#held.set(pod, hosts);
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
    const { hosts: asked } = this.#askedBy({ workload });
    const { services, virtualServices, authorizationPolicies, meshConfig } = snapshot;
    const inputs = [called, asked, services, virtualServices, authorizationPolicies, meshConfig, workload.serviceAccount];
    const before = this.#ruled.get(key);
    if (before !== undefined && sameInputs(before.inputs, inputs)) return before.reasons;
    const reasons = automaticScope(snapshot, view, workload, { called, asked });
    this.#ruled.set(key, { inputs, reasons });
    return reasons;
  }

  #intern(hosts: ReadonlySet<Hostname>, names: ReadonlySet<string>): ScopeSet {
    const key = `${[...hosts].sort().join(' ')}\n${[...names].sort().join(' ')}`;
    const known = this.#interned.get(key)?.deref();
    if (known !== undefined) return known;
    const made = Object.freeze({ hosts, names });
    this.#interned.set(key, new WeakRef(made));
    return made;
  }
}

function podKey({ workload, instance }: Proxy): string {
  return `${workload.namespace}/${instance.name}`;
}
