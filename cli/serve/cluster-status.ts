import type { Logger } from 'pino';
import type { WatchedMesh } from '../../mesh/source/watch.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { appliedObjects } from './applied.ts';
import type { Cluster } from './cluster-options.ts';
import { proxyReport } from './proxy-report.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';

export interface ClusterStatusSources {
  readonly mesh: Pick<WatchedMesh, 'current' | 'diagnostics'>;
  readonly streams: () => readonly StreamStatus[];
  readonly published: PublishedSnapshots;
  readonly isLeader: () => boolean;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Writes into the objects of a cluster what became of them. */
export async function writeClusterStatus(
  { client, observed }: Cluster,
  { mesh, streams, published, isLeader, clock, log }: ClusterStatusSources,
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
    pending: () => {
      const current = mesh.current();
      const changedSince = published.comparisons();
      const reports = streams().map((status) => proxyReport(status, current, changedSince));
      const objects = appliedObjects(reports, current.number, published.objects(), changedSince, false);
      return {
        proxies: reports.filter((report) => report.known).length,
        objects: new Map(objects.flatMap((one) => (one.file === undefined ? [] : [[one.file, one] as const]))),
      };
    },
  });
}
