import type { Locality } from '../model/load-balancer.ts';
import type { Labels } from '../model/object.ts';

/** `region/zone/subzone`, of which the last parts may be missing; undefined when nothing is said. */
export function parseLocality(written: string): Locality | undefined {
  if (written === '') return undefined;
  const [region = '', zone = '', subzone = ''] = written.split('/');
  return Object.freeze({ region, zone, subzone });
}

/**
 * Where a pod runs, as its labels say: Istio's `istio-locality` (with dots, since a label may hold no slash), else the topology labels
 * that Kubernetes copies to pods.
 */
export function localityOfLabels(labels: Labels): Locality | undefined {
  const istio = labels['istio-locality'];
  if (istio !== undefined && istio !== '') return parseLocality(istio.includes('/') ? istio : istio.replaceAll('.', '/'));
  const region = labels['topology.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? '';
  const subzone = labels['topology.istio.io/subzone'] ?? '';
  return region === '' && zone === '' && subzone === '' ? undefined : Object.freeze({ region, zone, subzone });
}
