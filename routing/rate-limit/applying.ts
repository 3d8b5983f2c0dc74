import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { selects } from '../../mesh/model/object.ts';
import type { RateLimit } from '../../mesh/model/rate-limit.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';

/** The RateLimits of a namespace: the same array as long as none of them changes. */
export const ofNamespace = indexedBy<RateLimit>(({ meta }) => [meta.namespace]);

/** The RateLimits in front of a workload: those of the root namespace first, then its own, each in the snapshot's order. */
export function rateLimitsFor({ rateLimits, meshConfig }: Snapshot, workload: Workload): readonly RateLimit[] {
  if (rateLimits.length === 0) return rateLimits;
  const { rootNamespace } = meshConfig;
  const from = (namespace: string) =>
    ofNamespace(rateLimits, namespace).filter(({ selector }) => selects(selector, workload.labels));
  return [...from(rootNamespace), ...(workload.namespace === rootNamespace ? [] : from(workload.namespace))];
}
