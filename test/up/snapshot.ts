import assert from 'node:assert/strict';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { documentsOf } from '../../mesh/source/load.ts';

/** The snapshot of one YAML text, which must hold no error. */
export function snapshotOf(text: string): Snapshot {
  const { documents, diagnostics } = documentsOf('test.yaml', text);
  const admission = admit(documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  const found = [...diagnostics, ...admission.diagnostics].filter(({ severity }) => severity === 'error');
  assert.deepEqual(found, []);
  return buildSnapshot(admission.admitted, DEFAULT_MESH_CONFIG, 1).snapshot;
}
