import type { Document } from '../../../mesh/admit/document.ts';
import { shorten } from '../../../mesh/admit/node.ts';
import { textAt } from '../../../mesh/admit/node-path.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { loadFiles } from '../../../mesh/source/load.ts';
import { flatDocuments, type Manifest, manifestOf } from '../manifest.ts';

export interface Input {
  readonly documents: readonly Document[];
  readonly manifests: readonly Manifest[];
  /** What cannot be read, and what has no name. Whether the objects are right is another question. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What other objects of the same input need: namespaces and definitions. */
const FIRST: readonly string[] = Object.freeze(['Namespace', 'CustomResourceDefinition']);

/** The objects of files and folders in the order in which they are to be made. */
export function readInput(paths: readonly string[], namespace: string): Input {
  const { documents, diagnostics } = loadFiles(paths);
  const flat = documents.flatMap(flatDocuments);
  const pairs = flat.map((document) => ({ document, manifest: manifestOf(document.node, namespace) }));
  const nameless = pairs.flatMap(({ document, manifest }) => (manifest === undefined ? [missingName(document)] : []));
  const manifests = pairs.flatMap(({ manifest }) => manifest ?? []);
  return {
    documents: flat,
    manifests: [
      ...FIRST.flatMap((kind) => manifests.filter((one) => one.kind === kind)),
      ...manifests.filter(({ kind }) => !FIRST.includes(kind)),
    ],
    diagnostics: [...diagnostics, ...nameless],
  };
}

function missingName({ file, offset, node }: Document): Diagnostic {
  const kind = textAt(node, 'kind');
  const missing = kind === '' ? 'kind' : textAt(node, 'apiVersion') === '' ? 'apiVersion' : 'metadata.name';
  return {
    file,
    line: node.line + offset,
    severity: 'error',
    code: 'missing-field',
    message: `an object${kind === '' ? '' : ` of kind ${shorten(kind)}`} has no ${missing}`,
    hint: missing === 'metadata.name' ? 'write one; names are not made up here (generateName)' : 'write it',
  };
}
