import type { Diagnostic } from '../model/diagnostic.ts';
import type { MeshConfig } from '../model/mesh-config.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Admitted } from './mesh-object.ts';
import { MeshStore, NO_GATEWAYS } from './store/mesh-store.ts';

export interface Built {
  readonly snapshot: Snapshot;
  readonly diagnostics: readonly Diagnostic[];
}

export interface BuildOptions {
  /** One made-up instance for each Deployment without a Pod. */
  readonly assumePods?: boolean;
  /** `namespace/name` of gateways that are there, of the Gateway API or with errors. */
  readonly otherGateways?: readonly string[];
}

export function duplicate({ file, line, key }: Admitted, before: Admitted): Diagnostic {
  return {
    file,
    line,
    object: key,
    field: 'metadata.name',
    severity: 'error',
    code: 'duplicate-name',
    message: `is defined twice; the one in ${before.file}:${before.line} is in effect`,
    hint: 'remove or rename one',
  };
}

/** The first of several objects with one kind, namespace and name, and a diagnostic for each other. */
function withoutDuplicates(objects: readonly Admitted[]): {
  readonly objects: readonly Admitted[];
  readonly diagnostics: readonly Diagnostic[];
} {
  const first = new Map<string, Admitted>();
  const diagnostics: Diagnostic[] = [];
  for (const one of objects) {
    const before = first.get(one.key);
    if (before === undefined) first.set(one.key, one);
    else diagnostics.push(duplicate(one, before));
  }
  return { objects: [...first.values()], diagnostics };
}

/**
 * Makes a snapshot of admitted objects and checks them against each other. Objects that say nothing sensible about others
 * stay (their routes answer 503, as in Istio); of two with one name the first stays.
 * @param previous lists that did not change are taken from it, so that what is derived from them can be kept
 */
export function buildSnapshot(
  objects: readonly Admitted[],
  meshConfig: MeshConfig,
  number: number,
  previous?: Snapshot,
  { assumePods = false, otherGateways = [] }: BuildOptions = {},
): Built {
  const unique = withoutDuplicates(objects);
  const { snapshot, diagnostics } = new MeshStore({ assumePods }, number).apply({
    upserts: unique.objects,
    removed: [],
    meshConfig,
    otherGateways: otherGateways.length === 0 ? NO_GATEWAYS : new Set(otherGateways),
  });
  return {
    snapshot: previous === undefined ? snapshot : sharing(snapshot, previous),
    diagnostics: [...unique.diagnostics, ...[...diagnostics.values()].flat()],
  };
}

function sharing(made: Snapshot, previous: Snapshot): Snapshot {
  const shared = <T>(now: readonly T[], before: readonly T[]): readonly T[] =>
    now.length === before.length && now.every((value, at) => value === before[at]) ? before : now;
  return Object.freeze({
    number: made.number,
    meshConfig: made.meshConfig,
    namespaces: shared(made.namespaces, previous.namespaces),
    services: shared(made.services, previous.services),
    workloads: shared(made.workloads, previous.workloads),
    virtualServices: shared(made.virtualServices, previous.virtualServices),
    destinationRules: shared(made.destinationRules, previous.destinationRules),
    gateways: shared(made.gateways, previous.gateways),
    gatewayApi: shared(made.gatewayApi, previous.gatewayApi),
    configMaps: shared(made.configMaps, previous.configMaps),
    sidecars: shared(made.sidecars, previous.sidecars),
    authorizationPolicies: shared(made.authorizationPolicies, previous.authorizationPolicies),
    peerAuthentications: shared(made.peerAuthentications, previous.peerAuthentications),
    requestAuthentications: shared(made.requestAuthentications, previous.requestAuthentications),
    rateLimits: shared(made.rateLimits, previous.rateLimits),
    telemetries: shared(made.telemetries, previous.telemetries),
    proxySettings: shared(made.proxySettings ?? [], previous.proxySettings ?? []),
    namespaceRollouts: shared(made.namespaceRollouts ?? [], previous.namespaceRollouts ?? []),
  });
}
