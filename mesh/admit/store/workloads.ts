import type { WorkloadEntry } from '../../model/workload-entry.ts';
import type { Workload } from '../../model/workload.ts';
import type { Deployment, Pod } from '../mesh-object.ts';
import type { Places } from '../places.ts';
import { withEntries } from '../workload-entry/workload.ts';
import {
  type Belonging,
  belongingOf,
  deploymentWorkload,
  numbersOf,
  podWorkload,
  type Roots,
  rootsOf,
  workloadsFrom,
} from '../workloads.ts';
import { compareMeta } from './order.ts';
import { type Difference, inserted, Ordered } from './ordered.ts';

const byMeta = <T extends { readonly meta: Parameters<typeof compareMeta>[0] }>(one: T, other: T): number =>
  compareMeta(one.meta, other.meta);

/** What workloads of one namespace are made of, and what was made of it. */
class Space {
  readonly templated = new Ordered<Deployment>(byMeta);
  readonly pods = new Ordered<Pod>(byMeta);
  readonly entries = new Ordered<WorkloadEntry>(byMeta);
  workloads: readonly Workload[] = [];
  first = 0;
  numbered = 0;
  /** Of `templated` and `pods`, as they were made last. */
  roots: Roots = rootsOf([]);
  belonging: Belonging = { owned: new Map(), bare: new Set() };
  made = new Map<Deployment | Pod, Workload>();
}

const NO_PODS: readonly Pod[] = Object.freeze([]);

function isEmpty({ templated, pods, entries }: Space): boolean {
  return templated.values.length === 0 && pods.values.length === 0 && entries.values.length === 0;
}

export interface WorkloadSources {
  readonly templated: Difference<Deployment>;
  readonly pods: Difference<Pod>;
  readonly entries: Difference<WorkloadEntry>;
}

/** The workloads of all namespaces: a change is worked out within its own, since nothing owns a Pod of another. */
export class Workloads {
  readonly #assumePods: boolean;
  readonly #spaces = new Map<string, Space>();
  readonly #ordered = new Ordered<Workload>(byMeta);
  #places: Places | undefined;

  constructor(assumePods: boolean) {
    this.#assumePods = assumePods;
  }

  get values(): readonly Workload[] {
    return this.#ordered.values;
  }

  patch({ templated, pods, entries }: WorkloadSources, places: Places): Difference<Workload> {
    const touched = new Set<Space>();
    const whole = new Set<Space>();
    const stage = <T extends Deployment | Pod | WorkloadEntry>(
      { gone, come }: Difference<T>,
      listOf: (space: Space) => Ordered<T>,
      all: boolean,
    ): void => {
      const [left, arrived] = [gone, come].map((values) => Map.groupBy(values, ({ meta }) => meta.namespace));
      for (const namespace of new Set([...(left?.keys() ?? []), ...(arrived?.keys() ?? [])])) {
        const space = this.#space(namespace);
        touched.add(space);
        if (all) whole.add(space);
        listOf(space).patch({ gone: left?.get(namespace) ?? [], come: arrived?.get(namespace) ?? [] });
      }
    };
    stage(templated, (space) => space.templated, true);
    stage(pods, (space) => space.pods, false);
    stage(entries, (space) => space.entries, true);
    if (this.#places !== places || this.#assumePods) {
      for (const space of this.#places === places ? touched : this.#spaces.values()) {
        touched.add(space);
        whole.add(space);
      }
    }
    this.#places = places;
    const gone: Workload[] = [];
    const come: Workload[] = [];
    if (this.#assumePods) this.#number(whole);
    for (const space of whole) {
      touched.add(space);
      this.#make(space, places, gone, come);
    }
    const [left, arrived] = [pods.gone, pods.come].map((some) =>
      Map.groupBy(some, ({ meta }) => this.#spaces.get(meta.namespace)),
    );
    for (const space of touched) {
      if (whole.has(space)) continue;
      // Whether an entry counts depends on the names of all others.
      if (space.entries.values.length > 0) {
        this.#make(space, places, gone, come);
        continue;
      }
      patchPods(space, { gone: left?.get(space) ?? NO_PODS, come: arrived?.get(space) ?? NO_PODS }, places, gone, come);
    }
    for (const [name, space] of this.#spaces) if (touched.has(space) && isEmpty(space)) this.#spaces.delete(name);
    const difference = { gone, come };
    this.#ordered.patch(difference);
    return difference;
  }

  #space(namespace: string): Space {
    const known = this.#spaces.get(namespace);
    if (known !== undefined) return known;
    const made = new Space();
    this.#spaces.set(namespace, made);
    return made;
  }

  #make(space: Space, places: Places, gone: Workload[], come: Workload[]): void {
    const first = this.#assumePods ? space.first : undefined;
    space.roots = rootsOf(space.templated.values);
    space.belonging = belongingOf(space.roots, space.pods.values);
    space.made = workloadsFrom(space.roots, space.belonging, places, first);
    const workloads = withEntries([...space.made.values()], space.entries.values);
    const before = new Set(space.workloads);
    const after = new Set(workloads);
    for (const one of space.workloads) if (!after.has(one)) gone.push(one);
    for (const one of workloads) if (!before.has(one)) come.push(one);
    space.workloads = workloads;
  }

  /** Made-up addresses count through all namespaces in order of their names: one that begins with another number is touched too. */
  #number(touched: Set<Space>): void {
    for (const space of touched) space.numbered = numbersOf(space.templated.values);
    let first = 0;
    for (const [, space] of [...this.#spaces].sort(([one], [other]) => (`${one}/` < `${other}/` ? -1 : 1))) {
      if (space.first !== first) touched.add(space);
      space.first = first;
      first += space.numbered;
    }
  }
}

/** Works out anew what owns the Pods that came and went. */
function patchPods(space: Space, pods: Difference<Pod>, places: Places, gone: Workload[], come: Workload[]): void {
  const { roots, belonging, made } = space;
  const owners = new Set<Deployment>();
  const replace = (source: Deployment | Pod, next: Workload | undefined): void => {
    const before = made.get(source);
    if (before === next) return;
    if (before !== undefined) gone.push(before);
    if (next !== undefined) come.push(next);
    if (next === undefined) made.delete(source);
    else made.set(source, next);
  };
  for (const pod of pods.gone) {
    const owner = roots.owners.of(pod);
    if (owner === undefined) {
      belonging.bare.delete(pod);
      replace(pod, undefined);
      continue;
    }
    belonging.owned.set(
      owner,
      (belonging.owned.get(owner) ?? NO_PODS).filter((one) => one !== pod),
    );
    owners.add(owner);
  }
  for (const pod of pods.come) {
    const owner = roots.owners.of(pod);
    if (owner === undefined) {
      belonging.bare.add(pod);
      replace(pod, podWorkload(roots, pod, places));
      continue;
    }
    belonging.owned.set(owner, inserted(belonging.owned.get(owner) ?? NO_PODS, pod, byMeta));
    owners.add(owner);
  }
  for (const owner of owners) {
    if (!roots.names.has(owner)) continue;
    replace(owner, deploymentWorkload(roots, owner, belonging.owned.get(owner) ?? NO_PODS, places));
  }
  space.workloads = [...made.values()];
}
