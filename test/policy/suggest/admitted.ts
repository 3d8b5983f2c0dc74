import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suggestionYaml } from '../../../cli/policy/suggest-print.ts';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';

/** The policies of a suggestion as they are admitted once somebody has written them to a file. */
export function admitted(suggestion: Suggestion): readonly AuthorizationPolicy[] {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-suggest-'));
  try {
    const file = join(folder, 'suggested.yaml');
    const evidence = { calls: [], since: 0, until: 1, missing: [] };
    writeFileSync(file, suggestionYaml(suggestion, { dryRun: false, evidence }));
    const { snapshot, diagnostics } = loadMesh({ paths: [file] });
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === 'error').map(({ message, line }) => `${line}: ${message}`),
      [],
    );
    assert.equal(snapshot.authorizationPolicies.length, suggestion.policies.length);
    return snapshot.authorizationPolicies;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The mesh once the suggestion is in force. */
export function inForce(mesh: Snapshot, policies: readonly AuthorizationPolicy[]): Snapshot {
  return { ...mesh, authorizationPolicies: [...mesh.authorizationPolicies, ...policies] };
}
