import type { Viewer } from '../viewer.ts';

/** All namespaces, in lists of them. */
export const ALL = '*';

/** A Kubernetes namespace is a DNS label (RFC 1123). */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** Namespaces as lists have them; what is no name of one is left out, so that nothing is granted by mistake. */
export function namespacesIn(list: readonly unknown[]): Viewer['namespaces'] {
  if (list.includes(ALL)) return 'all';
  return new Set(list.filter((one): one is string => typeof one === 'string' && NAMESPACE.test(one)));
}

export function isNamespaceName(text: string): boolean {
  return text === ALL || NAMESPACE.test(text);
}
