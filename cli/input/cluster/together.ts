import { type Admission, admit } from '../../../mesh/admit/admit.ts';
import type { Document } from '../../../mesh/admit/document.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import { gatewaysIn, writtenIn } from '../../../mesh/admit/written.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { sorted } from '../../../mesh/source/mesh.ts';
import { findings } from '../findings.ts';
import { manifestOf } from '../manifest.ts';

/** An object as it stands in the cluster; `place` stands for its file. */
export interface Existing {
  readonly place: string;
  readonly object: Readonly<Record<string, unknown>>;
}

export interface Checked {
  /** About the input, each object by itself. */
  readonly alone: readonly Diagnostic[];
  /** About the input among the objects of the cluster. */
  readonly among: readonly Diagnostic[];
  /** About objects of the cluster, which the change would bring about. */
  readonly elsewhere: readonly Diagnostic[];
}

export interface Wanted {
  readonly meshConfig: MeshConfig;
  readonly namespace: string;
  readonly now: Date;
  readonly input: readonly Document[];
  /** Keys of what is to go. */
  readonly removed?: ReadonlySet<string>;
}

const NOWHERE = 'default';

/** What would be found in the cluster with the change made, of that what is not found there now. */
export function checkTogether(existing: readonly Existing[], wanted: Wanted): Checked {
  const { meshConfig, namespace, now, input, removed = new Set<string>() } = wanted;
  const inCluster = existing.map(({ place, object }): Document => ({ file: place, offset: 0, node: nodeOf(object, 0) }));
  const before = admit(inCluster, { meshConfig, defaultNamespace: NOWHERE });
  const changed = new Set([...removed, ...input.flatMap(({ node }) => manifestOf(node, namespace)?.key ?? [])]);
  const gone = new Set(inCluster.filter(({ node }) => changed.has(manifestOf(node, NOWHERE)?.key ?? '')).map(({ file }) => file));
  const own = admit(input, { meshConfig, defaultNamespace: namespace });
  const look = (documents: readonly Document[], admitted: Admission['admitted']): readonly Diagnostic[] => {
    const written = writtenIn(documents, namespace);
    const { snapshot, diagnostics } = buildSnapshot(admitted, meshConfig, 1, undefined, { otherGateways: gatewaysIn(written) });
    return [...diagnostics, ...findings(snapshot, written, now)];
  };
  const known = new Set(look(inCluster, before.admitted).map(identity));
  const after = look(
    [...inCluster.filter(({ file }) => !gone.has(file)), ...input],
    [...before.admitted.filter(({ file }) => !gone.has(file)), ...own.admitted],
  );
  const files = new Set(input.map(({ file }) => file));
  return {
    alone: own.diagnostics,
    among: after.filter(({ file }) => files.has(file)),
    elsewhere: sorted(after.filter((found) => !files.has(found.file) && !known.has(identity(found)))),
  };
}

function identity({ file, object, field, code, message }: Diagnostic): string {
  return JSON.stringify([file, object, field, code, message]);
}
