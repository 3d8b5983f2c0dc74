import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';

/** What becomes STRICT: a namespace, or one workload of it. */
export interface StrictTarget {
  readonly namespace: string;
  readonly workload: Workload | undefined;
}

export const PREFLIGHT = 'preflight-strict';

/**
 * The mesh as it would be with a PeerAuthentication STRICT there. What is excepted stays so: policies of single workloads beside that of a
 * namespace, and ports beside that of a workload.
 */
export function asStrict(snapshot: Snapshot, { namespace, workload }: StrictTarget): Snapshot {
  const replaced = ({ meta, selector }: PeerAuthentication): boolean =>
    meta.namespace === namespace &&
    (workload === undefined
      ? Object.keys(selector).length === 0
      : Object.keys(selector).length > 0 && selects(selector, workload.labels));
  const [oldest] = snapshot.peerAuthentications.filter(replaced);
  const strict: PeerAuthentication = {
    meta: {
      kind: 'PeerAuthentication',
      apiVersion: 'security.istio.io/v1',
      namespace,
      name: PREFLIGHT,
      labels: {},
      annotations: {},
      createdAt: oldest?.meta.createdAt,
      origin: { file: '', line: 0 },
    },
    selector: workload?.labels ?? {},
    mode: 'STRICT',
    portLevel: workload === undefined ? new Map() : (oldest?.portLevel ?? new Map()),
  };
  const others = snapshot.peerAuthentications.filter((one) => (workload === undefined ? !replaced(one) : one !== oldest));
  // The oldest wins where there are several.
  return { ...snapshot, peerAuthentications: [strict, ...others] };
}
