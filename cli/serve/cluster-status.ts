import type { Logger } from 'pino';
import type { Pending } from '../../kubernetes/replicas/aggregate.ts';
import type { WatchedMesh } from '../../mesh/source/watch.ts';
import type { Cluster } from './cluster-options.ts';

export interface ClusterStatusSources {
  readonly mesh: Pick<WatchedMesh, 'current' | 'diagnostics'>;
  /** How far objects have come among the proxies of all replicas; undefined while it is not known. */
  readonly pending: () => Pending | undefined;
  readonly isLeader: () => boolean;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Writes into the objects of a cluster what became of them. */
export async function writeClusterStatus(
  { client, observed }: Cluster,
  { mesh, pending, isLeader, clock, log }: ClusterStatusSources,
): Promise<{ close(): void }> {
  const { StatusWriter } = await import('../../kubernetes/status/status-writer.ts');
  return new StatusWriter({
    client,
    observed,
    log,
    clock,
    isLeader,
    snapshot: () => mesh.current(),
    diagnostics: () => mesh.diagnostics(),
    pending,
  });
}
