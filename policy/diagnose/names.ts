import { between } from '../../mesh/model/list-difference.ts';
import type { Meta } from '../../mesh/model/object.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { keptBy } from '../kept.ts';

/** Names that policies may speak of. */
export interface Names {
  /** `namespace/name` of every account that a workload runs as. */
  readonly accounts: ReadonlySet<string>;
  /** Every namespace that the input knows of. */
  readonly namespaces: ReadonlySet<string>;
}

type Lists = Pick<Snapshot, 'namespaces' | 'workloads' | 'services'>;

function same(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((name) => other.has(name));
}

/** Whether lists have the same names in them, by looking at what differs. */
function sameIn<T>(before: readonly T[], after: readonly T[], nameOf: (one: T) => string): boolean {
  const { gone, come } = between(before, after);
  return same(new Set(gone.map(nameOf)), new Set(come.map(nameOf)));
}

const accountOf = ({ namespace, serviceAccount }: Workload): string => `${namespace}/${serviceAccount}`;
const namespaceOf = ({ meta }: Service): string => meta.namespace;
const nameOf = ({ name }: Meta): string => name;

/** The mesh that was looked at before: most changes change no name. */
let last: ({ readonly [Name in keyof Lists]: WeakRef<Lists[Name]> } & { readonly names: Names }) | undefined;

function asBefore({ namespaces, workloads, services }: Lists): Names | undefined {
  const [oldNamespaces, oldWorkloads, oldServices] = [last?.namespaces.deref(), last?.workloads.deref(), last?.services.deref()];
  const same =
    oldNamespaces !== undefined &&
    oldWorkloads !== undefined &&
    oldServices !== undefined &&
    sameIn(oldNamespaces, namespaces, nameOf) &&
    sameIn(oldWorkloads, workloads, accountOf) &&
    sameIn(oldServices, services, namespaceOf);
  return same ? last?.names : undefined;
}

const of = keptBy(
  (namespaces: Snapshot['namespaces'], workloads: Snapshot['workloads'], services: Snapshot['services']): Names => {
    const names =
      asBefore({ namespaces, workloads, services }) ??
      Object.freeze({
        accounts: new Set(workloads.map(accountOf)),
        namespaces: new Set([
          ...namespaces.map(nameOf),
          ...workloads.map(({ namespace }) => namespace),
          ...services.map(namespaceOf),
        ]),
      });
    last = { namespaces: new WeakRef(namespaces), workloads: new WeakRef(workloads), services: new WeakRef(services), names };
    return names;
  },
);

/** The names of a mesh: the same object as long as they are the same. */
export function namesIn({ namespaces, workloads, services }: Snapshot): Names {
  return of(namespaces, workloads, services);
}
