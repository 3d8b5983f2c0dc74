import { readFileSync } from 'node:fs';
import { admit } from '../../../mesh/admit/admit.ts';
import type { Admitted } from '../../../mesh/admit/mesh-object.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import { gatewaysIn, type Written, writtenIn } from '../../../mesh/admit/written.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { documentsOf } from '../../../mesh/source/load.ts';

/**
 * What is in effect, worked out from all files at every step: read whole, and of what was before, kept what is now refused or
 * may stand in a part of its file that cannot be read.
 */
export class Expected {
  #objects: ReadonlyMap<string, Admitted> = new Map();
  readonly #assumePods: boolean;

  constructor(assumePods: boolean) {
    this.#assumePods = assumePods;
  }

  step(
    files: readonly string[],
    meshConfig: MeshConfig,
  ): { readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[]; readonly written: readonly Written[] } {
    const options = { meshConfig, defaultNamespace: 'default' };
    const contents = files.map((file) => {
      const { documents, diagnostics } = documentsOf(file, readFileSync(file, 'utf8'));
      return { file, documents, diagnostics, admission: admit(documents, options) };
    });
    const now = contents.flatMap(({ admission }) => admission.admitted);
    const seen = new Set(now.map(({ key }) => key));
    const refused = contents.flatMap(({ admission }) => admission.refused);
    const unclear = new Set([
      ...contents.filter(({ diagnostics }) => diagnostics.some(({ code }) => code === 'bad-yaml')).map(({ file }) => file),
      ...refused.filter(({ key }) => key === undefined).map(({ file }) => file),
    ]);
    const kept = [...this.#objects.values()].filter(
      ({ key, file }) => !seen.has(key) && (unclear.has(file) || refused.some((one) => one.key === key)),
    );
    const documents = contents.flatMap((one) => one.documents);
    const written = writtenIn(documents, 'default');
    const built = buildSnapshot([...now, ...kept], meshConfig, 1, undefined, {
      assumePods: this.#assumePods,
      otherGateways: gatewaysIn(written),
    });
    const objects = new Map<string, Admitted>();
    for (const one of [...now, ...kept]) if (!objects.has(one.key)) objects.set(one.key, one);
    this.#objects = objects;
    const last = kept.map(({ file, line, key }): Diagnostic => ({
      file,
      line,
      object: key,
      severity: 'info',
      code: 'last-good',
      message: 'its last good version stays in effect',
      hint: 'correct the file',
    }));
    const found = contents.flatMap((one) => [...one.diagnostics, ...one.admission.diagnostics]);
    return { snapshot: built.snapshot, written, diagnostics: [...found, ...last, ...built.diagnostics] };
  }
}
