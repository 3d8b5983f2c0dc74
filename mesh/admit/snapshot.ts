import type { Diagnostic } from '../model/diagnostic.ts';
import type { MeshConfig } from '../model/mesh-config.ts';
import type { Meta } from '../model/object.ts';
import type { Service } from '../model/service.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { addressed } from './addresses.ts';
import { withAliases } from './aliases.ts';
import { translated } from '../gateway-api/translate.ts';
import { ingressesTranslated } from '../ingress/translate.ts';
import { ByKind } from './by-kind.ts';
import { placesOf } from './places.ts';
import { checkReferences } from './check/references.ts';
import type { Admitted } from './mesh-object.ts';
import { withSlices } from './sliced.ts';
import { withEntries } from './workload-entry/workload.ts';
import { workloadsFrom } from './workloads.ts';

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

/** The first of several objects with one kind, namespace and name, and a diagnostic for each other. */
export function withoutDuplicates(objects: readonly Admitted[]): {
  readonly objects: readonly Admitted[];
  readonly diagnostics: readonly Diagnostic[];
} {
  const first = new Map<string, Admitted>();
  const diagnostics: Diagnostic[] = [];
  for (const one of objects) {
    const before = first.get(one.key);
    if (before === undefined) {
      first.set(one.key, one);
      continue;
    }
    diagnostics.push({
      file: one.file,
      line: one.line,
      object: one.key,
      field: 'metadata.name',
      severity: 'error',
      code: 'duplicate-name',
      message: `is defined twice; the one in ${before.file}:${before.line} is in effect`,
      hint: 'remove or rename one',
    });
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
  options: BuildOptions = {},
): Built {
  const { objects: unique, diagnostics } = withoutDuplicates(objects);
  const built = buildFrom(unique, meshConfig, number, previous, options);
  return { snapshot: built.snapshot, diagnostics: [...diagnostics, ...built.diagnostics] };
}

/** As `buildSnapshot`, of objects among which no two have one name. */
export function buildFrom(
  unique: readonly Admitted[],
  meshConfig: MeshConfig,
  number: number,
  previous: Snapshot | undefined,
  options: BuildOptions,
): Built {
  const kinds = new ByKind(unique);
  const places = placesOf(kinds.nodes);
  const services = addressed(
    withAliases([...withSlices(kinds.services, kinds.slices, places), ...kinds.external]),
    (service) =>
      service.headless !== true && !service.hostname.includes('*') && (service.meta.kind === 'ServiceEntry' || !service.external),
  );
  const namespaces = list(kinds.namespaces, (meta) => meta, previous?.namespaces);
  const { clusterDomain } = meshConfig;
  const configMaps = list(kinds.configMaps, (one) => one.meta, previous?.configMaps);
  const gatewayApi = list(kinds.gatewayApi, ({ value }) => value.meta, previous?.gatewayApi);
  const written = translated({ objects: gatewayApi, services, namespaces, configMaps, clusterDomain }, previous);
  const ingresses = list(kinds.ingresses, (one) => one.meta, undefined);
  const fromIngress = ingressesTranslated({ ingresses, classes: kinds.ingressClasses, services, meshConfig });
  // After those of Istio's kinds, which say more of one host than routes do.
  const virtualServices = joined(
    list(kinds.virtualServices, (one) => one.meta, undefined),
    [...written.virtualServices, ...fromIngress.virtualServices],
    previous?.virtualServices,
  );
  const snapshot: Snapshot = Object.freeze({
    number,
    meshConfig,
    namespaces,
    services: list(services, (one: Service) => one.meta, previous?.services),
    workloads: list(
      withEntries(workloadsFrom(kinds.deployments, kinds.pods, places, options.assumePods ?? false), kinds.workloadEntries),
      (one) => one.meta,
      previous?.workloads,
    ),
    virtualServices,
    destinationRules: list(
      [...kinds.destinationRules, ...written.destinationRules],
      (one) => one.meta,
      previous?.destinationRules,
    ),
    gateways: list([...kinds.gateways, ...written.gateways, ...fromIngress.gateways], (one) => one.meta, previous?.gateways),
    gatewayApi,
    configMaps,
    sidecars: list(kinds.sidecars, (one) => one.meta, previous?.sidecars),
    authorizationPolicies: list(kinds.authorizationPolicies, (one) => one.meta, previous?.authorizationPolicies),
    peerAuthentications: list(kinds.peerAuthentications, (one) => one.meta, previous?.peerAuthentications),
    requestAuthentications: list(kinds.requestAuthentications, (one) => one.meta, previous?.requestAuthentications),
    rateLimits: list(kinds.rateLimits, (one) => one.meta, previous?.rateLimits),
    telemetries: list(kinds.telemetries, (one) => one.meta, previous?.telemetries),
  });
  return { snapshot, diagnostics: checkReferences(unique, snapshot, options.otherGateways) };
}

/** Two lists after each other; `previous` when that is the same. */
function joined<T>(first: readonly T[], second: readonly T[], previous: readonly T[] | undefined): readonly T[] {
  const all = [...first, ...second];
  return previous?.length === all.length && all.every((value, at) => value === previous[at]) ? previous : Object.freeze(all);
}

/** Sorted as Istio resolves conflicts: by age, then by namespace and name; objects without a time come last. */
function list<T>(values: readonly T[], metaOf: (value: T) => Meta, previous: readonly T[] | undefined): readonly T[] {
  const sorted = values.toSorted((one, other) => {
    const [a, b] = [metaOf(one), metaOf(other)];
    const age = (a.createdAt ?? Number.POSITIVE_INFINITY) - (b.createdAt ?? Number.POSITIVE_INFINITY);
    if (age !== 0 && !Number.isNaN(age)) return age;
    if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
    return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  });
  const same = previous?.length === sorted.length && sorted.every((value, at) => value === previous[at]);
  return same ? previous : Object.freeze(sorted);
}

/** True when nothing but the number differs. */
export function sameSnapshot(one: Snapshot, other: Snapshot): boolean {
  return (
    one.meshConfig === other.meshConfig &&
    one.namespaces === other.namespaces &&
    one.services === other.services &&
    one.workloads === other.workloads &&
    one.virtualServices === other.virtualServices &&
    one.destinationRules === other.destinationRules &&
    one.gateways === other.gateways &&
    one.gatewayApi === other.gatewayApi &&
    one.configMaps === other.configMaps &&
    one.sidecars === other.sidecars &&
    one.authorizationPolicies === other.authorizationPolicies &&
    one.peerAuthentications === other.peerAuthentications &&
    one.requestAuthentications === other.requestAuthentications &&
    one.rateLimits === other.rateLimits &&
    one.telemetries === other.telemetries
  );
}
