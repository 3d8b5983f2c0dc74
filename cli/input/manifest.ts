import { stringify } from 'yaml';
import { admitDocument, keyOfNode, listItems } from '../../mesh/admit/admit.ts';
import type { Document } from '../../mesh/admit/document.ts';
import { kindHere } from '../../mesh/admit/kinds.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { type Node, valueOf } from '../../mesh/admit/node.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { isClusterScoped } from '../../mesh/model/gateway-api-kinds.ts';
import { loadFiles } from '../../mesh/source/load.ts';

/** One object of the input, checked by itself. */
export interface Manifest {
  /** `Kind namespace/name`. */
  readonly key: string;
  /** By its name here (KubernetesGateway for the Gateway of the Gateway API). */
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty for what is in none. */
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
  const objects = documents.flatMap(flatDocuments);
  const found: Diagnostic[] = [...diagnostics];
  const manifests = objects.flatMap((document) => {
    found.push(...admitDocument(document, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: namespace }).diagnostics);
    const manifest = manifestOf(document.node, namespace);
    return manifest === undefined ? [] : [manifest];
  });
  return { manifests, diagnostics: found };
}

/** The objects of a document: itself, or the items of a List. */
export function flatDocuments(document: Document): readonly Document[] {
  const items = listItems(document.node);
  return items === undefined ? [document] : items.flatMap((node) => flatDocuments({ ...document, node }));
}

/** Undefined when it has no kind or no name. */
export function manifestOf(node: Node, namespace: string): Manifest | undefined {
  const value = valueOf(node);
  if (!isRecord(value)) return undefined;
  const { kind, apiVersion, metadata } = value;
  const here = typeof kind === 'string' && typeof apiVersion === 'string' ? kindHere(apiVersion, kind) : undefined;
  const key = here === undefined ? undefined : keyOfNode(here, node, namespace);
  if (
    key === undefined ||
    here === undefined ||
    typeof apiVersion !== 'string' ||
    !isRecord(metadata) ||
    typeof metadata['name'] !== 'string'
  )
    return undefined;
  const own = isClusterScoped(here) ? '' : typeof metadata['namespace'] === 'string' ? metadata['namespace'] : namespace;
  return { key, kind: here, apiVersion, namespace: own, name: metadata['name'], value };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The manifest's text as a file of its own, its namespace written out. */
export function manifestText({ kind, value, namespace }: Manifest): string {
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  const { name, namespace: _, ...rest } = metadata;
  const placed = isClusterScoped(kind) ? metadata : { name, namespace, ...rest };
  return stringify(
    { apiVersion: value['apiVersion'], kind: value['kind'], ...value, metadata: placed },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}
