/** Who looks at the page, and which namespaces are for them. */
export interface Viewer {
  readonly name: string;
  readonly namespaces: 'all' | ReadonlySet<string>;
}

/** Where no authentication is asked for: on loopback only. */
export const LOCAL_VIEWER: Viewer = Object.freeze({ name: 'this machine', namespaces: 'all' });

export function maySee(viewer: Viewer, namespace: string): boolean {
  return viewer.namespaces === 'all' || viewer.namespaces.has(namespace);
}
