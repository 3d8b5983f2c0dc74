import { admit } from '../admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../admit/mesh-config.ts';
import { buildSnapshot } from '../admit/snapshot.ts';
import { gatewaysIn, type Written, writtenIn } from '../admit/written.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { loadFiles } from './load.ts';
import { loadMeshConfig } from './mesh-config.ts';

export interface LoadOptions {
  /** Files and folders, as `-f` takes them. */
  readonly paths: readonly string[];
  readonly meshConfigFile?: string | undefined;
  /** For objects that name none; `default` if absent. */
  readonly defaultNamespace?: string | undefined;
  /** Gives each Deployment without Pods one made-up instance at 10.0.0.N, so that its proxy can be compiled. */
  readonly assumePods?: boolean | undefined;
}

export interface LoadedMesh {
  /** Of all objects that could be admitted. With an error in the mesh configuration file it has Istio's defaults: don't act on it then. */
  readonly snapshot: Snapshot;
  readonly diagnostics: readonly Diagnostic[];
  /** What was admitted, as `Kind namespace/name`. */
  readonly objects: readonly string[];
  /** Everything that has a kind and a name, admitted or not. */
  readonly written: readonly Written[];
}

/** Reads files once, for a command. */
export function loadMesh({ paths, meshConfigFile, defaultNamespace = 'default', assumePods = false }: LoadOptions): LoadedMesh {
  const config = loadMeshConfig(meshConfigFile);
  const meshConfig = config.meshConfig ?? DEFAULT_MESH_CONFIG;
  const loaded = loadFiles(paths);
  const { admitted, diagnostics } = admit(loaded.documents, { meshConfig, defaultNamespace });
  const written = writtenIn(loaded.documents, defaultNamespace);
  const built = buildSnapshot(admitted, meshConfig, 1, undefined, { assumePods, otherGateways: gatewaysIn(written) });
  return {
    objects: [...new Set(admitted.map(({ key }) => key))],
    written,
    snapshot: built.snapshot,
    diagnostics: sorted([...config.diagnostics, ...loaded.diagnostics, ...diagnostics, ...built.diagnostics]),
  };
}

/** By file, then by line. */
export function sorted(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
