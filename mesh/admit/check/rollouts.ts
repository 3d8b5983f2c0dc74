import type { Diagnostic } from '../../model/diagnostic.ts';
import { indexedBy } from '../../model/indexed-by.ts';
import type { NamespaceRollout } from '../../model/namespace-rollout.ts';
import type { PeerAuthentication } from '../../model/peer-authentication.ts';
import type { Workload } from '../../model/workload.ts';
import { closest } from '../closest.ts';
import type { Written } from '../written.ts';
import { byName, finding, type Inventory, some } from './inventory.ts';

/** By which the objects that a rollout wrote are known. */
const ROLLOUT_LABEL = 'gatehouse.dev/rollout';

const workloadsIn = indexedBy<Workload>(({ namespace }) => [namespace]);
const authenticationsIn = indexedBy<PeerAuthentication>(({ meta }) => [meta.namespace]);
const rolloutsIn = indexedBy<NamespaceRollout>(({ meta }) => [meta.namespace]);

/** NamespaceRollouts against the rest: what they name that is not there, and what keeps them from having an effect. */
export function rollouts(inventory: Inventory): readonly Diagnostic[] {
  const all = inventory.part('namespaceRollouts') ?? [];
  if (all.length === 0) return [];
  const written = inventory.kubernetes('NamespaceRollout');
  return all.flatMap((rollout) => {
    const [one] = byName(written, `${rollout.meta.namespace}/${rollout.meta.name}`);
    if (one === undefined) return [];
    return [
      ...second(one, rollout, rolloutsIn(all, rollout.meta.namespace)),
      ...strangers(inventory, one, rollout),
      ...ended(inventory, one, rollout),
      ...overridden(inventory, one, rollout),
    ];
  });
}

function second(one: Written, { meta }: NamespaceRollout, all: readonly NamespaceRollout[]): readonly Diagnostic[] {
  const [first] = all;
  if (first === undefined || first.meta.name === meta.name) return [];
  return [
    finding(
      one,
      'metadata.name',
      'warning',
      'second-rollout',
      `NamespaceRollout ${meta.namespace}/${first.meta.name} is older and counts; this one has no effect`,
      'keep one of them',
    ),
  ];
}

/** Fragments of a mesh have no workloads, so nothing is missing from them. */
function strangers(inventory: Inventory, one: Written, rollout: NamespaceRollout): readonly Diagnostic[] {
  const named = [
    ...rollout.exceptions.map(({ workload }, at) => ({ workload, field: `spec.exceptions[${at}].workload` })),
    ...rollout.accepted.map(({ to: { workload } }, at) => ({ workload, field: `spec.accepted[${at}].to.workload` })),
  ];
  if (named.length === 0 || inventory.part('workloads').length === 0) return [];
  const names = workloadsIn(inventory.part('workloads'), rollout.meta.namespace).map(({ name }) => name);
  return named.flatMap(({ workload, field }) => {
    if (workload === undefined || names.includes(workload)) return [];
    const near = closest(workload, names);
    return [
      finding(
        one,
        field,
        'warning',
        'no-such-workload',
        `${rollout.meta.namespace} has no workload ${workload}, so this excepts nothing`,
        near !== undefined
          ? `did you mean ${near}?`
          : names.length === 0
            ? 'the namespace has no workloads'
            : `it has ${some(names)}`,
      ),
    ];
  });
}

function ended(inventory: Inventory, one: Written, { exceptions, accepted }: NamespaceRollout): readonly Diagnostic[] {
  const all = [
    ...exceptions.map(({ until, owner }, at) => ({ until, owner, field: `spec.exceptions[${at}].until` })),
    ...accepted.map(({ until, owner }, at) => ({ until, owner, field: `spec.accepted[${at}].until` })),
  ];
  if (all.length === 0) return [];
  const now = inventory.now().getTime();
  return all
    .filter(({ until }) => until <= now)
    .map(({ owner, field }) =>
      finding(
        one,
        field,
        'warning',
        'ended',
        'is over: it holds the next stage back',
        `ask ${owner}: remove it, or give a later end`,
      ),
    );
}

/** The oldest of a namespace counts, and the one that a rollout writes is the youngest. */
function overridden(inventory: Inventory, one: Written, { meta, target }: NamespaceRollout): readonly Diagnostic[] {
  if (target === 'observe') return [];
  return authenticationsIn(inventory.part('peerAuthentications'), meta.namespace)
    .filter((policy) => policy.meta.labels[ROLLOUT_LABEL] !== meta.name)
    .filter(({ selector, mode }) => Object.keys(selector).length === 0 && mode !== 'STRICT')
    .map((policy) =>
      finding(
        one,
        'metadata.namespace',
        'warning',
        'overridden',
        `PeerAuthentication ${policy.meta.namespace}/${policy.meta.name} is for the whole namespace (${policy.mode}) and older than what the rollout writes: plain text stays`,
        'delete it: the rollout writes STRICT when its gates are met',
      ),
    );
}
