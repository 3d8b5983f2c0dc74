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
 * Few labels that select a workload and none of the others, the one that names it first; where there are none, since another workload has
 * all of its labels, as few others as can be. What is written for one workload alone must look whether there are `others`. A label that each
 * roll-out changes is never chosen. Empty only where it has no labels but such.
 * @param near the workloads that a selector is about, the workload itself or not
 */
export function selectionOf(
  { namespace, name, labels }: { readonly namespace: string; readonly name: string; readonly labels: Labels },
  near: readonly Workload[],
): Selection {
  let left = near.filter((one) => one.namespace !== namespace || one.name !== name);
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

/** Chooses selectors of a mesh's policies. One of the root namespace selects in all. */
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

  of(workload: Parameters<typeof selectionOf>[0]): Selection {
    const { namespace } = workload;
    return selectionOf(workload, namespace === this.#root ? this.#all : (this.#byNamespace.get(namespace) ?? []));
  }
}
