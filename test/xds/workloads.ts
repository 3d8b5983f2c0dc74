import type { Labels } from '../../mesh/model/object.ts';
import type { Instance } from '../../mesh/model/workload.ts';

/** A Pod with a proxy. */
export function instance(name: string, address: string, labels: Labels): Instance {
  return { name, address, labels, ready: true, meshed: true, capture: { kind: 'redirect' }, bindAddress: '0.0.0.0' };
}
