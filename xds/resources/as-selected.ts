import type { Labels } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Instance, Workload } from '../../mesh/model/workload.ts';

function same(one: Labels, other: Labels): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

const made = new WeakMap<Instance, { readonly of: Workload; readonly selected: Workload }>();

/**
 * The workload as policies select it in front of one proxy: by the labels of its own Pod, as in Istio, which may have others than its
 * template (`kubectl label pod` puts a Pod under a policy, or takes it out). The same object as long as neither changes.
 */
export function asSelected({ workload, instance }: Proxy): Workload {
  if (same(workload.labels, instance.labels)) return workload;
  const known = made.get(instance);
  if (known?.of === workload) return known.selected;
  const selected: Workload = Object.freeze({ ...workload, labels: instance.labels });
  made.set(instance, { of: workload, selected });
  return selected;
}
