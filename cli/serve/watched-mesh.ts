import type { Logger } from 'pino';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
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
  input: { readonly paths: readonly string[]; readonly meshConfigFile: string | undefined },
  log: Logger,
  { onSnapshot, onDiagnostics }: MeshListeners,
): Promise<WatchedMesh> {
  let mesh: WatchedMesh | undefined;
  const report = (): void => {
    if (mesh !== undefined) onDiagnostics([...mesh.diagnostics(), ...policyDiagnostics(mesh.current())]);
  };
  mesh = await watchMesh({
    ...input,
    log,
    onSnapshot: (snapshot) => {
      onSnapshot(snapshot);
      report();
    },
    onDiagnostics: report,
  });
  report();
  return mesh;
}
