import type { Logger } from 'pino';
import type { FederatedPeer } from '../../ca/federation/peer.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { federatedWith } from '../../mesh/model/federated.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { watchMesh, type WatchedMesh } from '../../mesh/source/watch.ts';
import { policyDiagnostics } from '../../policy/diagnose.ts';

export interface MeshListeners {
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** All that is wrong now: with the input, and with what policy cannot apply. */
  readonly onDiagnostics: (found: readonly Diagnostic[]) => void;
}

/** The mesh of a running control plane, with every finding about it told. */
export async function watchedMesh(
  input: {
    readonly paths: readonly string[];
    readonly meshConfigFile: string | undefined;
    readonly federation: { readonly peers: readonly FederatedPeer[] };
  },
  log: Logger,
  { onSnapshot, onDiagnostics }: MeshListeners,
): Promise<WatchedMesh> {
  let mesh: WatchedMesh | undefined;
  const seen = federatedWith(input.federation.peers.map(({ trustDomain }) => trustDomain));
  const report = (): void => {
    if (mesh !== undefined) onDiagnostics([...mesh.diagnostics(), ...policyDiagnostics(mesh.current())]);
  };
  mesh = await watchMesh({
    ...input,
    log,
    onSnapshot: (snapshot) => {
      onSnapshot(seen(snapshot));
      report();
    },
    onDiagnostics: report,
  });
  report();
  const watched = mesh;
  return { current: () => seen(watched.current()), diagnostics: () => watched.diagnostics(), close: () => watched.close() };
}
