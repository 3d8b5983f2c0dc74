import type { Logger } from 'pino';
import type { FederatedPeer } from '../../ca/federation/peer.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { federatedWith } from '../../mesh/model/federated.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { watchMesh, type WatchedMesh } from '../../mesh/source/watch.ts';
import type { ClusterMeshOptions } from '../../kubernetes/source/cluster-mesh.ts';
import { SettledFindings } from '../input/settled-findings.ts';
import type { Cluster } from './cluster-options.ts';

export interface MeshListeners {
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** All that is wrong now: with the input at once, with objects together when changes have come to rest. */
  readonly onDiagnostics: (found: readonly Diagnostic[]) => void;
}

/** The mesh of a running control plane, with every finding about it told. */
export async function watchedMesh(
  input: {
    readonly paths: readonly string[];
    readonly meshConfigFile: string | undefined;
    /** Instead of the paths. */
    readonly cluster: Cluster | undefined;
    readonly federation: { readonly peers: readonly FederatedPeer[] };
  },
  log: Logger,
  { onSnapshot, onDiagnostics }: MeshListeners,
): Promise<WatchedMesh> {
  let mesh: WatchedMesh | undefined;
  const seen = federatedWith(input.federation.peers.map(({ trustDomain }) => trustDomain));
  let findings: SettledFindings | undefined;
  const report = (): void => {
    if (mesh !== undefined) onDiagnostics([...mesh.diagnostics(), ...(findings?.current ?? [])]);
  };
  const listeners = {
    onSnapshot: (snapshot: Snapshot) => {
      onSnapshot(seen(snapshot));
      findings?.changed();
    },
    onDiagnostics: () => {
      report();
      findings?.changed();
    },
  };
  const { cluster, meshConfigFile, paths } = input;
  mesh =
    cluster === undefined
      ? await watchMesh({ paths, meshConfigFile, log, ...listeners })
      : await clusterMesh({ ...cluster, meshConfigFile, log, ...listeners });
  const watched = mesh;
  const settled = (findings = new SettledFindings(
    { snapshot: () => seen(watched.current()), written: () => watched.written(), clock: () => new Date() },
    report,
  ));
  report();
  settled.changed();
  return {
    current: () => seen(watched.current()),
    diagnostics: () => watched.diagnostics(),
    written: () => watched.written(),
    close: () => {
      settled.close();
      watched.close();
    },
  };
}

async function clusterMesh(options: ClusterMeshOptions): Promise<WatchedMesh> {
  const { watchCluster } = await import('../../kubernetes/source/cluster-mesh.ts');
  return watchCluster(options);
}
