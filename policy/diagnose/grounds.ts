import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { destinationRulesIn } from './client-tls.ts';
import { namesIn } from './names.ts';
import { LISTS } from './survey.ts';

/** Stands for all that some findings depend on. */
export type Grounds = Readonly<Record<string, never>>;

interface Part {
  readonly grounds: Grounds;
  readonly namespace: string;
  /** About callers and workloads of all namespaces, rather than about the objects of one. */
  readonly wide: boolean;
}

const groundsFor = keptBy((..._on: readonly object[]): Grounds => Object.freeze({}));

const MESH_WIDE = Object.freeze({});
const OF_NAMESPACE = Object.freeze({});

/** The lists of one namespace: the same arrays as long as nothing in them changes. */
function listsOf(snapshot: Snapshot, namespace: string): readonly object[] {
  return [
    LISTS.policies(snapshot.authorizationPolicies, namespace),
    LISTS.peerAuthentications(snapshot.peerAuthentications, namespace),
    LISTS.tokenRules(snapshot.requestAuthentications, namespace),
    LISTS.workloads(snapshot.workloads, namespace),
    LISTS.services(snapshot.services, namespace),
    destinationRulesIn(snapshot, namespace),
  ];
}

function applyingEverywhere(snapshot: Snapshot): readonly object[] {
  const { rootNamespace } = snapshot.meshConfig;
  return [
    LISTS.policies(snapshot.authorizationPolicies, rootNamespace),
    LISTS.peerAuthentications(snapshot.peerAuthentications, rootNamespace),
    LISTS.tokenRules(snapshot.requestAuthentications, rootNamespace),
    destinationRulesIn(snapshot, rootNamespace),
  ];
}

/** Of objects of the root namespace, which are about every workload, findings depend on nearly everything. */
function groundsOfRoot(snapshot: Snapshot): Grounds {
  const { meshConfig, gateways, authorizationPolicies, peerAuthentications, requestAuthentications } = snapshot;
  const { workloads, services, destinationRules, virtualServices, namespaces } = snapshot;
  const all = [authorizationPolicies, peerAuthentications, requestAuthentications, workloads, services];
  return groundsFor(OF_NAMESPACE, meshConfig, gateways, destinationRules, virtualServices, namespaces, ...all);
}

function groundsOf(snapshot: Snapshot, namespace: string, common: readonly object[]): Grounds {
  const own = listsOf(snapshot, namespace);
  const policies = LISTS.policies(snapshot.authorizationPolicies, namespace);
  const { rootNamespace } = snapshot.meshConfig;
  const applying = [...policies, ...LISTS.policies(snapshot.authorizationPolicies, rootNamespace)];
  // An authorizer may be a Service of any namespace.
  const authorizers = applying.some(({ action }) => action === 'CUSTOM') ? snapshot.services : OF_NAMESPACE;
  return groundsFor(OF_NAMESPACE, ...common, ...own, authorizers);
}

/** The parts in which a mesh is looked into, by the order of namespaces. */
export function* groundsIn(snapshot: Snapshot): Generator<Part> {
  const { meshConfig, gateways, virtualServices, namespaces, workloads, services } = snapshot;
  const { rootNamespace } = meshConfig;
  const { peerAuthentications, destinationRules } = snapshot;
  const wide = groundsFor(MESH_WIDE, meshConfig, gateways, workloads, services, peerAuthentications, destinationRules);
  yield { grounds: wide, namespace: rootNamespace, wide: true };
  // Of a fragment of a mesh, nothing is missing: one workload more is another matter for everybody.
  const fragment = workloads.length === 0 ? namespaces : OF_NAMESPACE;
  const common = [meshConfig, gateways, virtualServices, namesIn(snapshot), fragment, ...applyingEverywhere(snapshot)];
  const all = new Set([
    ...LISTS.policies.keys(snapshot.authorizationPolicies),
    ...LISTS.peerAuthentications.keys(peerAuthentications),
    ...LISTS.tokenRules.keys(snapshot.requestAuthentications),
    ...LISTS.workloads.keys(workloads),
  ]);
  for (const namespace of [...all].sort()) {
    const grounds = namespace === rootNamespace ? groundsOfRoot(snapshot) : groundsOf(snapshot, namespace, common);
    yield { grounds, namespace, wide: false };
  }
}
