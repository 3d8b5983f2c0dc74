import { Field } from '../admit/field.ts';
import { DEFAULT_MESH_CONFIG, readMeshConfig } from '../admit/mesh-config.ts';
import { deepFreeze } from '../admit/freeze.ts';
import type { Node } from '../admit/node.ts';
import { Report } from '../admit/report.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { MeshConfig } from '../model/mesh-config.ts';
import { parseDiagnostics, readText, unreadable } from './load.ts';
import { parseText } from './parse.ts';

export interface LoadedMeshConfig {
  /** Undefined when the file has an error: nothing may then be guessed, since identities and policies depend on it. */
  readonly meshConfig: MeshConfig | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a MeshConfig file; without one Istio's defaults hold. Also taken: Istio's ConfigMap, with the settings as text in `data.mesh`. */
export function loadMeshConfig(file: string | undefined): LoadedMeshConfig {
  if (file === undefined) return { meshConfig: DEFAULT_MESH_CONFIG, diagnostics: [] };
  const read = readText(file);
  if (!read.ok) return { meshConfig: undefined, diagnostics: [unreadable(file, read.reason, read.hint)] };
  return readConfig(file, read.text);
}

/** Reads a MeshConfig as text, wherever it came from. */
export function readConfig(file: string, text: string): LoadedMeshConfig {
  const { nodes, problems } = parseText(text);
  if (problems.length > 0) return { meshConfig: undefined, diagnostics: parseDiagnostics(file, 0, '', problems) };
  const [node, ...others] = nodes;
  if (others.length > 0)
    return {
      meshConfig: undefined,
      diagnostics: [unreadable(file, 'has more than one document', 'a mesh has one configuration')],
    };
  if (node === undefined) return { meshConfig: DEFAULT_MESH_CONFIG, diagnostics: [] };
  const inner = configMapText(node);
  if (inner !== undefined) return readConfig(file, inner);
  const report = new Report(file, 'MeshConfig');
  const meshConfig = readMeshConfig(new Field(node, '', node.line, report));
  return { meshConfig: report.failed ? undefined : deepFreeze(meshConfig), diagnostics: report.diagnostics };
}

function configMapText(node: Node): string | undefined {
  if (node.kind !== 'map') return undefined;
  const kind = node.entries.get('kind')?.value;
  const data = node.entries.get('data')?.value;
  if (kind?.kind !== 'scalar' || kind.value !== 'ConfigMap' || data?.kind !== 'map') return undefined;
  const mesh = data.entries.get('mesh')?.value;
  return mesh?.kind === 'scalar' && typeof mesh.value === 'string' ? mesh.value : undefined;
}
