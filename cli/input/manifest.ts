import { stringify } from 'yaml';
import { admitDocument, keyOfNode, listItems } from '../../mesh/admit/admit.ts';
import type { Document } from '../../mesh/admit/document.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { type Node, valueOf } from '../../mesh/admit/node.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { loadFiles } from '../../mesh/source/load.ts';

/** One object of the input, checked by itself. */
export interface Manifest {
  /** `Kind namespace/name`. */
  readonly key: string;
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty for a Namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Manifests {
  readonly manifests: readonly Manifest[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads the objects of files and folders; each that has no namespace is put in `namespace`. */
export function readManifests(paths: readonly string[], namespace: string): Manifests {
  const { documents, diagnostics } = loadFiles(paths);
  const objects = documents.flatMap(flat);
  const found: Diagnostic[] = [...diagnostics];
  const manifests = objects.flatMap((document) => {
    found.push(...admitDocument(document, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: namespace }).diagnostics);
    const manifest = manifestOf(document.node, namespace);
    return manifest === undefined ? [] : [manifest];
  });
  return { manifests, diagnostics: found };
}

function flat(document: Document): readonly Document[] {
  const items = listItems(document.node);
  return items === undefined ? [document] : items.flatMap((node) => flat({ ...document, node }));
}

/** Undefined when it has no kind or no name. */
export function manifestOf(node: Node, namespace: string): Manifest | undefined {
  const value = valueOf(node);
  if (!isRecord(value)) return undefined;
  const { kind, apiVersion, metadata } = value;
  const key = typeof kind === 'string' ? keyOfNode(kind, node, namespace) : undefined;
  if (
    key === undefined ||
    typeof kind !== 'string' ||
    typeof apiVersion !== 'string' ||
    !isRecord(metadata) ||
    typeof metadata['name'] !== 'string'
  )
    return undefined;
  const own = kind === 'Namespace' ? '' : typeof metadata['namespace'] === 'string' ? metadata['namespace'] : namespace;
  return { key, kind, apiVersion, namespace: own, name: metadata['name'], value };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The manifest's text as a file of its own, its namespace written out. */
export function manifestText({ kind, value, namespace }: Manifest): string {
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  const { name, namespace: _, ...rest } = metadata;
  const placed = kind === 'Namespace' ? metadata : { name, namespace, ...rest };
  return stringify(
    { apiVersion: value['apiVersion'], kind, ...value, metadata: placed },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}
