import { type Labels, keyOf, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';

/** By which people know a workload, the best first. */
const USUAL = Object.freeze([
  'app',
  'app.kubernetes.io/name',
  'k8s-app',
  'name',
  'version',
  'app.kubernetes.io/component',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/version',
  'role',
  'tier',
]);

/** Those of them that name it. */
const NAMES: ReadonlySet<string> = new Set(USUAL.slice(0, 4));

/** Change with each roll-out, or are not of the Pod template. */
const PASSING: ReadonlySet<string> = new Set(['pod-template-hash', 'controller-revision-hash', 'pod-template-generation']);

export interface Selection {
  readonly selector: Labels;
  /** What it selects beside the workload; `NAMESPACE/NAME`, sorted. */
  readonly others: readonly string[];
}

function ranked(labels: Labels): readonly (readonly [string, string])[] {
  const rank = (key: string): number => (USUAL.includes(key) ? USUAL.indexOf(key) : USUAL.length);
  return Object.entries(labels)
    .filter(([key]) => !PASSING.has(key))
    .sort(([one], [other]) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

/**
 * Chooses selectors: few labels that select a workload and nothing else, or as little else as can be. A policy of the root namespace
 * selects in all.
 */
export class Selectors {
  readonly #root: string;
  readonly #all: readonly Workload[];
  readonly #byNamespace = new Map<string, Workload[]>();

  constructor({ workloads, meshConfig }: Snapshot) {
    this.#root = meshConfig.rootNamespace;
    this.#all = workloads;
    for (const workload of workloads) {
      const known = this.#byNamespace.get(workload.namespace);
      if (known === undefined) this.#byNamespace.set(workload.namespace, [workload]);
      else known.push(workload);
    }
  }

  /** The other workloads that a policy without a selector is for. */
  besides(workload: string, namespace: string): readonly string[] {
    return (this.#byNamespace.get(namespace) ?? []).map(keyOf).filter((name) => name !== workload);
  }

  of({ namespace, name, labels }: { readonly namespace: string; readonly name: string; readonly labels: Labels }): Selection {
    const near = namespace === this.#root ? this.#all : (this.#byNamespace.get(namespace) ?? []);
    const isOther = (one: Workload): boolean => one.namespace !== namespace || one.name !== name;
    let left = near.filter(isOther);
    const all = ranked(labels);
    // A version or a tier alone says little, and another workload may have the same tomorrow.
    const exact = all.find(([key, value]) => NAMES.has(key) && !left.some((one) => one.labels[key] === value));
    if (exact !== undefined) return { selector: Object.fromEntries([exact]), others: [] };
    // The first label says what it is; then those that tell it from others, one after the other.
    const chosen: (readonly [string, string])[] = [];
    for (const entry of all) {
      const [key, value] = entry;
      const then = left.filter((one) => one.labels[key] === value);
      if (chosen.length > 0 && then.length === left.length) continue;
      chosen.push(entry);
      left = then;
      if (left.length === 0) break;
    }
    const selector = Object.fromEntries(chosen);
    return { selector, others: [...new Set(left.filter((one) => selects(selector, one.labels)).map(keyOf))].sort() };
  }
}
