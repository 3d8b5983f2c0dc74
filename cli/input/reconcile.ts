import { type Document, isAlias, isMap, isScalar, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { isRecord } from './manifest.ts';

/**
 * Changes the document below `path` until it says `value`, and nothing more: what stays the same keeps its comments and
 * its way of being written.
 */
export function reconcile(document: Document, path: readonly (string | number)[], value: unknown): void {
  const now: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isMap(now) && isRecord(value) && !hasMerge(now)) return reconcileMap(document, path, now, value);
  if (isSeq(now) && Array.isArray(value)) return reconcileList(document, path, now, value);
  if (isScalar(now) && !isRecord(value) && !Array.isArray(value)) {
    if (now.value !== value) {
      now.value = value;
      // A quoted text that becomes a number must not stay quoted.
      delete now.type;
      delete now.source;
    }
    return undefined;
  }
  if (path.length === 0) document.contents = document.createNode(value);
  else document.setIn(path, document.createNode(value));
  return undefined;
}

function hasMerge(map: YAMLMap): boolean {
  return map.items.some(({ key, value }) => (isScalar(key) && key.value === '<<') || isAlias(value));
}

function reconcileMap(
  document: Document,
  path: readonly (string | number)[],
  map: YAMLMap,
  value: Readonly<Record<string, unknown>>,
): void {
  for (const { key } of [...map.items]) {
    const name = isScalar(key) ? String(key.value) : undefined;
    if (name === undefined || !Object.hasOwn(value, name)) map.delete(key);
  }
  for (const [name, inner] of Object.entries(value)) {
    if (map.has(name)) reconcile(document, [...path, name], inner);
    else map.set(document.createNode(name), document.createNode(inner));
  }
}

function reconcileList(document: Document, path: readonly (string | number)[], list: YAMLSeq, value: readonly unknown[]): void {
  while (list.items.length > value.length) list.items.pop();
  for (const [at, inner] of value.entries()) {
    if (at < list.items.length) reconcile(document, [...path, at], inner);
    else list.add(document.createNode(inner));
  }
}
