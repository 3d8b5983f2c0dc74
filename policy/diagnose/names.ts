import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';

/** Names that policies may speak of. */
export interface Names {
  /** `namespace/name` of every account that a workload runs as. */
  readonly accounts: ReadonlySet<string>;
  /** Every namespace that the input knows of. */
  readonly namespaces: ReadonlySet<string>;
}

function same(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((name) => other.has(name));
}

/** Those of the mesh that was looked at before: most changes change no name. */
let last: WeakRef<Names> | undefined;

const of = keptBy(
  (namespaces: Snapshot['namespaces'], workloads: Snapshot['workloads'], services: Snapshot['services']): Names => {
    const made: Names = Object.freeze({
      accounts: new Set(workloads.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`)),
      namespaces: new Set([
        ...namespaces.map(({ name }) => name),
        ...workloads.map(({ namespace }) => namespace),
        ...services.map(({ meta }) => meta.namespace),
      ]),
    });
    const before = last?.deref();
    if (before !== undefined && same(before.accounts, made.accounts) && same(before.namespaces, made.namespaces)) return before;
    last = new WeakRef(made);
    return made;
  },
);

/** The names of a mesh: the same object as long as they are the same. */
export function namesIn({ namespaces, workloads, services }: Snapshot): Names {
  return of(namespaces, workloads, services);
}
