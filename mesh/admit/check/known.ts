import { addressesOf } from '../../model/families.ts';
import { covers, type Hostname } from '../../model/hostname.ts';
import type { DestinationRule } from '../../model/destination-rule.ts';
import type { Gateway } from '../../model/gateway.ts';
import { keyOf, type Labels, selects } from '../../model/object.ts';
import type { Service } from '../../model/service.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import type { Workload } from '../../model/workload.ts';
import { Grouped } from '../store/grouped.ts';
import type { ListChanges, Lists } from '../store/lists.ts';
import { compareMeta } from '../store/order.ts';

/** The labels that a workload or one of its instances has, within its namespace and (`*`) within the mesh. */
function pairsOf(workload: Workload): ReadonlySet<string> {
  const found = new Set<string>();
  for (const labels of [workload.labels, ...workload.instances.map((instance) => instance.labels)])
    for (const [name, value] of Object.entries(labels)) {
      found.add(`${workload.namespace} ${name}=${value}`);
      found.add(`* ${name}=${value}`);
    }
  return found;
}

function placesOf(workload: Workload): readonly string[] {
  return workload.instances.flatMap((instance) => [
    `${workload.namespace} pod ${instance.name}`,
    ...addressesOf(instance).map((address) => `${workload.namespace} ${address}`),
  ]);
}

/** Host names that a mistyped one may stand for: they differ in the first label only, or in the others only. */
function nearKeys(host: string): readonly [string, string] {
  const dot = host.indexOf('.');
  return dot < 0 ? [`${host}.`, '.'] : [host.slice(0, dot + 1), host.slice(dot)];
}

/**
 * What checks look up, kept up to date. Every look-up notes what it depends on (`watched`); a change tells which of those may now
 * be answered in another way. Nothing else of the mesh may be looked at by a check, or its finding would grow old.
 */
export class Known {
  readonly #lists: Lists;
  readonly #services: Grouped<Service>;
  readonly #near: Grouped<Service>;
  #wildcards: readonly Service[] = [];
  readonly #rules: Grouped<DestinationRule>;
  readonly #gateways: Grouped<Gateway>;
  readonly #named: Grouped<VirtualService>;
  readonly #meshHosts: Grouped<VirtualService>;
  readonly #spaces = new Map<string, Set<Workload>>();
  readonly #pairs = new Map<string, Set<Workload>>();
  readonly #places = new Grouped<Workload>(placesOf, (one, other) => compareMeta(one.meta, other.meta));
  #workloads = 0;
  #otherGateways: ReadonlySet<string> = new Set();
  #watched = new Set<string>();

  constructor(lists: Lists) {
    this.#lists = lists;
    const service = (one: Service, other: Service): number => lists.services.compare(one, other);
    this.#services = new Grouped<Service>(({ hostname }) => [hostname], service);
    this.#near = new Grouped<Service>(({ hostname }) => nearKeys(hostname), service);
    this.#rules = new Grouped<DestinationRule>(
      ({ host }) => [host],
      (one, other) =>
        compareMeta(one.meta, other.meta) || lists.destinationRules.rankOf(one) - lists.destinationRules.rankOf(other),
    );
    this.#gateways = new Grouped<Gateway>(
      ({ meta }) => [keyOf(meta)],
      (one, other) => compareMeta(one.meta, other.meta) || lists.gateways.rankOf(one) - lists.gateways.rankOf(other),
    );
    // Those of the Gateway API come after all of Istio's kind.
    const route = (one: VirtualService, other: VirtualService): number =>
      lists.virtualServices.rankOf(one) - lists.virtualServices.rankOf(other) || compareMeta(one.meta, other.meta);
    this.#named = new Grouped<VirtualService>(({ meta }) => [keyOf(meta)], route);
    this.#meshHosts = new Grouped<VirtualService>(({ gateways, hosts }) => (gateways.includes('mesh') ? hosts : []), route);
  }

  /** @returns what may be answered in another way than before */
  patch(changes: ListChanges, otherGateways: ReadonlySet<string>): ReadonlySet<string> {
    const touched = new Set<string>();
    const touch = (what: string, keys: Iterable<string>): void => {
      for (const key of keys) touched.add(`${what} ${key}`);
    };
    const hadServices = this.#services.size > 0;
    touch('host', this.#services.patch(changes.services));
    touch('near', this.#near.patch(changes.services));
    if ([...changes.services.gone, ...changes.services.come].some(({ hostname }) => hostname.includes('*'))) {
      this.#wildcards = this.#lists.services.values.filter(({ hostname }) => hostname.includes('*'));
      touched.add('wildcards');
    }
    if (hadServices !== this.#services.size > 0) touched.add('any service');
    touch('rules', this.#rules.patch(changes.destinationRules));
    const hadGateways = this.#gateways.size;
    const gateways = this.#gateways.patch(changes.gateways);
    touch('gateway', gateways);
    if (hadGateways !== this.#gateways.size || gateways.size > 0) touched.add('gateways');
    if (otherGateways !== this.#otherGateways) {
      for (const name of new Set([...otherGateways, ...this.#otherGateways])) {
        if (otherGateways.has(name) === this.#otherGateways.has(name)) continue;
        touched.add(`gateway ${name}`);
        touched.add('gateways');
      }
      this.#otherGateways = otherGateways;
    }
    touch('route', this.#named.patch(changes.virtualServices));
    touch('mesh host', this.#meshHosts.patch(changes.virtualServices));
    this.#patchWorkloads(changes, touched);
    return touched;
  }

  #patchWorkloads({ workloads: { gone, come } }: ListChanges, touched: Set<string>): void {
    const had = this.#workloads > 0;
    this.#workloads += come.length - gone.length;
    if (had !== this.#workloads > 0) touched.add('any workload');
    const change = (workload: Workload, to: (index: Map<string, Set<Workload>>, key: string) => void): void => {
      to(this.#spaces, workload.namespace);
      to(this.#spaces, '*');
      touched.add(`space ${workload.namespace}`).add('space *');
      for (const pair of pairsOf(workload)) {
        to(this.#pairs, pair);
        touched.add(`pair ${pair}`);
      }
    };
    for (const place of this.#places.patch({ gone, come })) touched.add(`place ${place}`);
    for (const workload of gone) {
      change(workload, (index, key) => {
        const left = index.get(key);
        left?.delete(workload);
        if (left?.size === 0) index.delete(key);
      });
    }
    for (const workload of come) {
      change(workload, (index, key) => {
        const group = index.get(key);
        if (group === undefined) index.set(key, new Set([workload]));
        else group.add(workload);
      });
    }
  }

  /** Calls a check, and tells what its answer depends on. */
  watch<R>(check: () => R): { readonly result: R; readonly on: ReadonlySet<string> } {
    const on = new Set<string>();
    this.#watched = on;
    return { result: check(), on };
  }

  /** The Service that has a host name, of several the newest. */
  service(host: Hostname): Service | undefined {
    this.#watched.add(`host ${host}`);
    return this.#services.get(host).at(-1);
  }

  serviceOrWildcard(host: Hostname): Service | undefined {
    const own = this.service(host);
    if (own !== undefined) return own;
    this.#watched.add('wildcards');
    return this.#wildcards.find((service) => covers(service.hostname, host));
  }

  /** Names of which a mistyped one may be meant. */
  hostsNear(host: Hostname): readonly string[] {
    return [
      ...new Set(
        nearKeys(host).flatMap((key) => {
          this.#watched.add(`near ${key}`);
          return this.#near.get(key).map(({ hostname }) => hostname);
        }),
      ),
    ];
  }

  anyService(): boolean {
    this.#watched.add('any service');
    return this.#services.size > 0;
  }

  rules(host: Hostname): readonly DestinationRule[] {
    this.#watched.add(`rules ${host}`);
    return this.#rules.get(host);
  }

  gateways(name: string): readonly Gateway[] {
    this.#watched.add(`gateway ${name}`);
    return this.#gateways.get(name);
  }

  hasGateway(name: string): boolean {
    return this.gateways(name).length > 0 || this.#otherGateways.has(name);
  }

  gatewayNames(): readonly string[] {
    this.#watched.add('gateways');
    return [...new Set([...this.#gateways.keys(), ...this.#otherGateways])].sort();
  }

  virtualService(name: string): VirtualService | undefined {
    this.#watched.add(`route ${name}`);
    return this.#named.get(name)[0];
  }

  /** VirtualServices that route a host for sidecars, the one that counts first. */
  meshRoutes(host: Hostname): readonly VirtualService[] {
    this.#watched.add(`mesh host ${host}`);
    return this.#meshHosts.get(host);
  }

  anyWorkload(): boolean {
    this.#watched.add('any workload');
    return this.#workloads > 0;
  }

  /** Whether a workload of a namespace (undefined: of any), or an instance of one, has all the labels. */
  anySelected(namespace: string | undefined, selector: Labels): boolean {
    return hasSelected(this.#rarest(namespace ?? '*', selector), selector);
  }

  /** Whether a workload behind a Service, or an instance of one, has all the labels. */
  anyBehind(service: Service, labels: Labels): boolean {
    const { selector, sliced } = service;
    const { namespace } = service.meta;
    if (sliced !== undefined) {
      const found = sliced.flatMap(({ pod, address }) => {
        const place = `${namespace} ${pod === undefined ? address : `pod ${pod}`}`;
        this.#watched.add(`place ${place}`);
        return this.#places.get(place).at(pod === undefined ? 0 : -1) ?? [];
      });
      return hasSelected(found, labels);
    }
    if (selector === undefined) return false;
    for (const one of this.#rarest(namespace, selector))
      if (selects(selector, one.labels) && hasSelected([one], labels)) return true;
    return false;
  }

  /** Those with the rarest of the labels: whoever has all of them is among those. */
  #rarest(space: string, selector: Labels): Iterable<Workload> {
    let found: { readonly pair: string; readonly having: ReadonlySet<Workload> } | undefined;
    for (const [name, value] of Object.entries(selector)) {
      const pair = `${space} ${name}=${value}`;
      const having = this.#pairs.get(pair) ?? NO_WORKLOADS;
      if (found === undefined || having.size < found.having.size) found = { pair, having };
    }
    this.#watched.add(found === undefined ? `space ${space}` : `pair ${found.pair}`);
    return found?.having ?? this.#spaces.get(space) ?? NO_WORKLOADS;
  }
}

const NO_WORKLOADS: ReadonlySet<Workload> = new Set();

function hasSelected(workloads: Iterable<Workload>, labels: Labels): boolean {
  for (const one of workloads)
    if (selects(labels, one.labels) || one.instances.some((instance) => selects(labels, instance.labels))) return true;
  return false;
}
