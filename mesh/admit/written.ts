import { isClusterScoped } from '../model/gateway-api-kinds.ts';
import { keyOfNode, listItems } from './admit.ts';
import type { Document } from './document.ts';
import type { Node } from './node.ts';
import { textAt } from './node-path.ts';

/**
 * An object as it is written, whatever became of it: admitted, refused, or of a kind that is not configured here. What is
 * checked across objects is checked on these, so that a finding does not hide behind another one.
 */
export interface Written {
  /** `Kind namespace/name`, as diagnostics name it. */
  readonly key: string;
  /** The API group, empty for Kubernetes' core. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: Node;
  readonly file: string;
  /** Lines of the file before those that `node` counts. */
  readonly offset: number;
}

function writtenOf({ node, file, offset }: Document, defaultNamespace: string): readonly Written[] {
  const items = listItems(node);
  if (items !== undefined) return items.flatMap((item) => writtenOf({ node: item, file, offset }, defaultNamespace));
  const kind = textAt(node, 'kind');
  const apiVersion = textAt(node, 'apiVersion');
  const key = kind === '' || apiVersion === '' ? undefined : keyOfNode(kind, node, defaultNamespace);
  if (key === undefined) return [];
  const namespace = textAt(node, 'metadata', 'namespace');
  return [
    {
      key,
      group: apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '',
      kind,
      namespace: isClusterScoped(kind) ? '' : namespace === '' ? defaultNamespace : namespace,
      name: textAt(node, 'metadata', 'name'),
      node,
      file,
      offset,
    },
  ];
}

/** Every object that has a kind and a name, in the order of the input. */
export function writtenIn(documents: readonly Document[], defaultNamespace: string): readonly Written[] {
  return documents.flatMap((document) => writtenOf(document, defaultNamespace));
}

const GATEWAY_GROUPS: ReadonlySet<string> = new Set(['gateway.networking.k8s.io', 'networking.istio.io']);

/** `namespace/name` of every Gateway, those of the Gateway API and those that were refused included. */
export function gatewaysIn(written: readonly Written[]): readonly string[] {
  return written.flatMap(({ kind, group, namespace, name }) =>
    kind === 'Gateway' && GATEWAY_GROUPS.has(group) ? [`${namespace}/${name}`] : [],
  );
}
