import type { Labels } from '../../mesh/model/object.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { selectionOf } from '../suggest/selector.ts';

/**
 * Labels that select a workload and no other of its namespace, chosen as `policy suggest` does; undefined where there are none, such as when
 * another workload has all of its labels: then nothing is written for it, and a gate says so. Never empty: that would select the whole namespace.
 */
export function selectorOf(workload: Workload, workloads: readonly Workload[]): Labels | undefined {
  const { selector, others } = selectionOf(workload, workloads);
  return others.length > 0 || Object.keys(selector).length === 0 ? undefined : selector;
}
