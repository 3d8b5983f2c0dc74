import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { Meta } from '../../mesh/model/object.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

/** A label of namespaces, and of pods, which goes before that of their namespace: `enabled` or `disabled`. */
const SCOPE_LABEL = 'gatehouse.dev/automatic-scope';

const byName = indexedBy<Meta>(({ name }) => [name]);

/**
 * Whether a proxy is told of the services that it calls, and of others when it asks. A Sidecar says itself what its proxies see, so that where
 * one holds nothing else does; gateways see what their routes lead to.
 * @param otherwise where no label says anything; a label that says something else than the two words leaves all in view
 */
export function scopedAutomatically(
  snapshot: Snapshot,
  { kind, workload, instance }: Proxy,
  sidecar: Sidecar | undefined,
  otherwise: boolean,
): boolean {
  if (kind !== 'sidecar' || sidecar !== undefined) return false;
  const written = instance.labels[SCOPE_LABEL] ?? byName(snapshot.namespaces, workload.namespace).at(-1)?.labels[SCOPE_LABEL];
  return written === undefined ? otherwise : written === 'enabled';
}
