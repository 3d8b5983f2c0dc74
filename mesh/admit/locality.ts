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
  return localityOfNode(labels);
}

/** Where a machine stands, by the labels of its Node; the old names are of clusters before Kubernetes 1.17. */
export function localityOfNode(labels: Labels): Locality | undefined {
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? '';
  const subzone = labels['topology.istio.io/subzone'] ?? '';
  return region === '' && zone === '' && subzone === '' ? undefined : Object.freeze({ region, zone, subzone });
}
