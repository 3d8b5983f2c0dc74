import { type Labels, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';

/**
 * Whether a workload serves callers outside of the mesh: a Gateway has it listen for others than proxies of the mesh. They have no identity,
 * and who of them comes tomorrow nobody saw.
 */
export function servesOutside({ gateways }: Snapshot, labels: Labels): boolean {
  if (labels[GATEWAY_NAME_LABEL] !== undefined) return true;
  return gateways.some(
    ({ selector, servers }) =>
      Object.keys(selector).length > 0 &&
      selects(selector, labels) &&
      servers.some(({ tls }) => tls.kind !== 'terminate' || tls.clients !== 'mesh'),
  );
}
