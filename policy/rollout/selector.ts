import { type Labels, selects } from '../../mesh/model/object.ts';
import type { Workload } from '../../mesh/model/workload.ts';

/** By which workloads are told apart, the usual ones first. */
const USUAL = Object.freeze([
  'app',
  'app.kubernetes.io/name',
  'k8s-app',
  'app.kubernetes.io/instance',
  'version',
  'app.kubernetes.io/version',
]);

/**
 * Few labels that select a workload and no other of its namespace; undefined where there are none, such as when another workload has all of
 * its labels. Never empty: that would select the whole namespace.
 */
export function selectorOf(workload: Workload, workloads: readonly Workload[]): Labels | undefined {
  const others = workloads.filter(({ name }) => name !== workload.name);
  const alone = (selector: Labels): boolean =>
    Object.keys(selector).length > 0 && !others.some(({ labels }) => selects(selector, labels));
  const known = USUAL.flatMap((key) => {
    const value = workload.labels[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  for (let count = 1; count <= known.length; count++) {
    const few = Object.fromEntries(known.slice(0, count));
    if (alone(few)) return few;
  }
  const all = Object.fromEntries(Object.entries(workload.labels).sort(([one], [other]) => (one < other ? -1 : 1)));
  return alone(all) ? all : undefined;
}
