import type { Visibility } from '../mesh/model/service.ts';

/** True when an object of `home` that is exported so may be seen from `namespace`. */
export function visibleFrom(exportTo: Visibility, home: string, namespace: string): boolean {
  switch (exportTo.kind) {
    case 'all':
      return true;
    case 'namespaces':
      // Admission has resolved `.`; an object always sees its own namespace only if it says so (`~` exports to none).
      return exportTo.namespaces.includes(namespace) || (exportTo.namespaces.includes('.') && home === namespace);
    default:
      return exportTo satisfies never;
  }
}
