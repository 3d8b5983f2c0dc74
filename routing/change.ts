import type { DestinationRule } from '../mesh/model/destination-rule.ts';
import { podNames } from '../mesh/model/endpoints.ts';
import type { Hostname } from '../mesh/model/hostname.ts';
import { indexedBy } from '../mesh/model/indexed-by.ts';
import { keyOf, selects } from '../mesh/model/object.ts';
import type { Service, Visibility } from '../mesh/model/service.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import type { Workload } from '../mesh/model/workload.ts';
import { type Aligned, aligned } from './aligned.ts';
import { askedBy } from './caller.ts';
import { virtualServices } from './delegates.ts';
import { isPlainChange, type Seen } from './plain-change.ts';

/** Services and VirtualServices (with the routes of their delegates) that came, went, or have another in their place of the same name, hosts and ports. */
export interface ChangedLists {
  readonly services: Aligned<Service>;
  readonly virtuals: Aligned<VirtualService>;
  readonly after: Seen;
}

/** What differs between two snapshots with the same mesh configuration and Sidecars. */
export interface Change {
  /** Undefined where what is to be seen, or in which order, may be another in ways that are not named here. */
  readonly lists: ChangedLists | undefined;
  /** Hosts of which the endpoints may differ, and so the clusters, which say who may answer. */
  readonly moved: ReadonlySet<Hostname>;
  /** Hosts, and wildcards over hosts, of which rules differ. */
  readonly ruled: ReadonlySet<Hostname>;
  /** VirtualServices (`namespace/name`) that say something else. */
  readonly rerouted: ReadonlyMap<string, VirtualService>;
  /** Some of them differ in themselves, and may lead elsewhere. */
  readonly replacedVirtuals: boolean;
  /** Any service may differ. */
  readonly all: boolean;
}

function sameList(a: readonly unknown[] | undefined, b: readonly unknown[] | undefined): boolean {
  return a === b || (a?.length === b?.length && a?.every((value, at) => value === b?.[at]) === true);
}

function sameVisibility(a: Visibility, b: Visibility): boolean {
  return a.kind === 'all' || b.kind === 'all' ? a.kind === b.kind : sameList(a.namespaces, b.namespaces);
}

function sameService(a: Service, b: Service): boolean {
  return (
    a.hostname === b.hostname &&
    keyOf(a.meta) === keyOf(b.meta) &&
    a.meta.kind === b.meta.kind &&
    a.external === b.external &&
    a.resolution === b.resolution &&
    a.aliasOf === b.aliasOf &&
    a.headless === b.headless &&
    sameList(a.aliases, b.aliases) &&
    sameList(a.addresses, b.addresses) &&
    sameList(a.families, b.families) &&
    sameVisibility(a.exportTo, b.exportTo) &&
    a.ports.length === b.ports.length &&
    a.ports.every((port, at) => {
      const other = b.ports[at];
      return port.port === other?.port && port.name === other.name && port.protocol === other.protocol;
    })
  );
}

function sameHosts(a: VirtualService, b: VirtualService): boolean {
  return (
    keyOf(a.meta) === keyOf(b.meta) &&
    sameList(a.hosts, b.hosts) &&
    sameList(a.gateways, b.gateways) &&
    sameVisibility(a.exportTo, b.exportTo) &&
    // Hosts that stand for another have routes of their own only where there are some.
    a.http.length > 0 === b.http.length > 0
  );
}

/** What is in one of the lists alone. */
function either<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  if (before === after) return [];
  const most = Math.min(before.length, after.length);
  let begin = 0;
  while (begin < most && before[begin] === after[begin]) begin += 1;
  let end = 0;
  while (end < most - begin && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const [gone, come] = [new Set(before.slice(begin, before.length - end)), new Set(after.slice(begin, after.length - end))];
  return [...[...gone].filter((one) => !come.has(one)), ...[...come].filter((one) => !gone.has(one))];
}

/** Services by what chooses the workloads behind them. */
const choosing = indexedBy<Service>(({ meta: { namespace }, selector, sliced }) => {
  if (sliced !== undefined)
    return sliced.map(({ pod, address }) => (pod === undefined ? `${namespace} at ${address}` : `${namespace} pod ${pod}`));
  if (selector === undefined) return [];
  const pairs = Object.entries(selector).map(([name, value]) => `${namespace} ${name}=${value}`);
  return pairs.length === 0 ? [namespace] : pairs;
});

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);
const inNamespace = indexedBy<Service>(({ meta }) => [meta.namespace]);

/** The services that may have a workload behind them. */
function over(services: readonly Service[], { namespace, labels, instances }: Workload): readonly Service[] {
  const selecting = [namespace, ...Object.entries(labels).map(([name, value]) => `${namespace} ${name}=${value}`)].flatMap(
    (key) => choosing(services, key).filter(({ selector }) => selector !== undefined && selects(selector, labels)),
  );
  const naming = instances.flatMap(({ name, address }) => [
    ...choosing(services, `${namespace} pod ${name}`),
    ...choosing(services, `${namespace} at ${address}`),
  ]);
  return [...selecting, ...naming];
}

const leading = indexedBy<VirtualService>((virtual) => askedBy(virtual).hosts);

/** Lists on which what a proxy calls by depends in no other way than is compared here. */
const ANY = ['meshConfig', 'sidecars'] as const;

/** Undefined where anything may have changed. */
export function changeBetween(before: Snapshot, after: Snapshot): Change | undefined {
  if (ANY.some((name) => before[name] !== after[name])) return undefined;
  const aligning = aligned(before.services, after.services, sameService);
  const virtuals = aligned(virtualServices(before), virtualServices(after), sameHosts);
  let placed = aligning !== undefined && virtuals !== undefined;
  const { services } = after;
  const others = aligning === undefined ? either(before.services, services) : [...aligning.left, ...aligning.arrived.keys()];
  const moved = new Set([...(aligning?.replaced.values() ?? []), ...others].map(({ hostname }) => hostname));
  for (const workload of either(before.workloads, after.workloads))
    for (const { hostname } of over(services, workload)) moved.add(hostname);
  // The pods of a headless Service have virtual hosts of their own.
  for (const host of moved) {
    for (const service of byHost(services, host)) {
      if (service.headless !== true) continue;
      const old = byHost(before.services, host).find(({ meta }) => keyOf(meta) === keyOf(service.meta));
      placed &&= old !== undefined && sameList(podNames(before, old), podNames(after, service));
    }
  }
  let all = false;
  for (const { meta } of either(before.peerAuthentications, after.peerAuthentications)) {
    all ||= meta.namespace === after.meshConfig.rootNamespace;
    for (const { hostname } of inNamespace(services, meta.namespace)) moved.add(hostname);
  }
  const ruled = new Set(either(before.destinationRules, after.destinationRules).map(({ host }: DestinationRule) => host));
  const rerouted = new Map<string, VirtualService>();
  const known = virtualServices(after);
  const differing =
    virtuals === undefined
      ? either(virtualServices(before), known)
      : [...virtuals.left, ...virtuals.replaced.values(), ...virtuals.arrived.keys()];
  for (const virtual of differing) rerouted.set(keyOf(virtual.meta), virtual);
  for (const host of [...ruled, ...others.map(({ hostname }) => hostname)]) {
    const named = [...byHost(services, host), ...byHost(before.services, host)];
    const names = new Set([host, ...named.flatMap(({ aliases }) => aliases ?? [])]);
    const led = host.startsWith('*') ? known : [...names].flatMap((name) => leading(known, name));
    for (const virtual of led) rerouted.set(keyOf(virtual.meta), virtual);
  }
  const seen: Seen = { services, virtuals: known };
  const lists =
    !placed || aligning === undefined || virtuals === undefined ? undefined : { services: aligning, virtuals, after: seen };
  const plain =
    lists !== undefined && isPlainChange(lists, { services: before.services, virtuals: virtualServices(before) }, seen);
  return { lists: plain ? lists : undefined, moved, ruled, rerouted, replacedVirtuals: differing.length > 0, all };
}
