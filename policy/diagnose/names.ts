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

/** Whether as many names are in a list as were, by looking at what differs: none that was not known, and none that may be the last of its kind. */
function sameIn<T>(before: readonly T[], after: readonly T[], nameOf: (one: T) => string, known: ReadonlySet<string>): boolean {
  const { gone, come } = between(before, after);
  const arrived = new Set(come.map(nameOf));
  return gone.every((one) => arrived.has(nameOf(one))) && [...arrived].every((name) => known.has(name));
}

const accountOf = ({ namespace, serviceAccount }: Workload): string => `${namespace}/${serviceAccount}`;
const namespaceOf = ({ meta }: Service): string => meta.namespace;
const nameOf = ({ name }: Meta): string => name;

/** The mesh that was looked at before: most changes change no name. */
let last: ({ readonly [Name in keyof Lists]: WeakRef<Lists[Name]> } & { readonly names: Names }) | undefined;

function isAsBefore({ namespaces, workloads, services }: Lists): boolean {
  const [oldNamespaces, oldWorkloads, oldServices] = [last?.namespaces.deref(), last?.workloads.deref(), last?.services.deref()];
  return (
    last !== undefined &&
    oldNamespaces !== undefined &&
    oldWorkloads !== undefined &&
    oldServices !== undefined &&
    sameIn(oldNamespaces, namespaces, nameOf, last.names.namespaces) &&
    sameIn(oldWorkloads, workloads, accountOf, last.names.accounts) &&
    sameIn(oldServices, services, namespaceOf, last.names.namespaces)
  );
}

function namesOf({ namespaces, workloads, services }: Lists): Names {
  const made: Names = Object.freeze({
    accounts: new Set(workloads.map(accountOf)),
    namespaces: new Set([
      ...namespaces.map(nameOf),
      ...workloads.map(({ namespace }) => namespace),
      ...services.map(namespaceOf),
    ]),
  });
  const before = last?.names;
  return before !== undefined && same(before.accounts, made.accounts) && same(before.namespaces, made.namespaces) ? before : made;
}

const of = keptBy(
  (namespaces: Snapshot['namespaces'], workloads: Snapshot['workloads'], services: Snapshot['services']): Names => {
    const lists = { namespaces, workloads, services };
    const names = last !== undefined && isAsBefore(lists) ? last.names : namesOf(lists);
    last = { namespaces: new WeakRef(namespaces), workloads: new WeakRef(workloads), services: new WeakRef(services), names };
    return names;
  },
);

/** The names of a mesh: the same object as long as they are the same. */
export function namesIn({ namespaces, workloads, services }: Snapshot): Names {
  return of(namespaces, workloads, services);
}
