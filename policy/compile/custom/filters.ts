import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import { authorizingProviders, type ExtAuthzProvider } from '../../../mesh/model/extension-provider.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { keptBy } from '../../kept.ts';
import { policiesFor, type SelectedWorkload } from '../../select.ts';
import { SharedLists } from '../../shared-list.ts';
import { askingsOf } from './applying.ts';
import { type Clusters, httpAsking, type Target, targetOf, tcpAsking } from './asking.ts';
import { httpMarking, tcpEditionFilter, tcpMarking } from './marking.ts';

/** The names of the two HTTP filters of a provider. */
export function markingName(provider: string): string {
  return `envoy.filters.http.rbac.custom.${provider}`;
}

export function askingName(provider: string): string {
  return `envoy.filters.http.ext_authz.${provider}`;
}

/** By the names of the providers; made once for all workloads to which the same policies apply. */
const markings = keptBy(
  (policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig): ReadonlyMap<string, Any> =>
    new Map(askingsOf(policies, meshConfig, 'http').map((asking) => [asking.provider.name, httpMarking(asking)])),
);

/** The HTTP filter that marks what a provider is asked about; undefined when it is asked nothing about this workload. */
export function markingFor(snapshot: Snapshot, workload: SelectedWorkload, { name }: ExtAuthzProvider): Any | undefined {
  return markings(policiesFor(snapshot, workload), snapshot.meshConfig).get(name);
}

/** Who is asked, where. The same object as long as neither changes. */
export interface AskedAt {
  readonly provider: ExtAuthzProvider;
  readonly target: Target;
}

/** By the provider as MeshConfig has it; where it is found is one of few. */
const places = new WeakMap<ExtAuthzProvider, AskedAt[]>();

function askedAt(provider: ExtAuthzProvider, target: Target): AskedAt {
  const known = places.get(provider) ?? [];
  places.set(provider, known);
  const before = known.find((one) => one.target.cluster === target.cluster && one.target.failOpen === target.failOpen);
  if (before !== undefined) return before;
  const made = Object.freeze({ provider, target });
  known.push(made);
  return made;
}

const lists = new SharedLists<AskedAt>();

const allAsked = keptBy((services: Snapshot['services'], meshConfig: MeshConfig, clusters: Clusters): readonly AskedAt[] =>
  lists.shared(authorizingProviders(meshConfig).map((provider) => askedAt(provider, targetOf({ services }, provider, clusters)))),
);

/** Where each provider of MeshConfig is asked, in the order of asking: the same array until one is found elsewhere. */
export function askedIn({ services, meshConfig }: Snapshot, clusters: Clusters): readonly AskedAt[] {
  return allAsked(services, meshConfig, clusters);
}

const asking = keptBy(({ provider, target }: AskedAt): Any => httpAsking(provider, target));

/** The HTTP filter that asks a provider: the same in front of every workload, and there also while nothing is marked. */
export function askingOf(snapshot: Snapshot, provider: ExtAuthzProvider, clusters: Clusters): Any {
  return asking(askedAt(provider, targetOf(snapshot, provider, clusters)));
}

function filter(name: string, value: Any): Filter {
  return create(FilterSchema, { name, configType: { case: 'typedConfig', value } });
}

const tcpFilters = keptBy(
  (policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, places: readonly AskedAt[]): readonly Filter[] => {
    const asked = askingsOf(policies, meshConfig, 'tcp');
    if (asked.length === 0) return NO_FILTERS;
    const filters = asked.flatMap((one) => {
      const { provider } = one;
      const place = places.find((other) => other.provider === provider);
      if (provider.kind !== 'ext-authz-grpc' || place === undefined) return [];
      return [
        filter(`envoy.filters.network.rbac.custom.${provider.name}`, tcpMarking(one)),
        filter(`envoy.filters.network.ext_authz.${provider.name}`, tcpAsking(provider, place.target)),
      ];
    });
    return Object.freeze([filter('envoy.filters.network.rbac.custom', tcpEditionFilter(asked)), ...filters]);
  },
);

const NO_FILTERS: readonly Filter[] = Object.freeze([]);

/** The network filters of CUSTOM policies on a TCP port: for each provider one that marks and one that asks. */
export function tcpCustom(snapshot: Snapshot, workload: SelectedWorkload, clusters: Clusters): readonly Filter[] {
  return tcpFilters(policiesFor(snapshot, workload), snapshot.meshConfig, askedIn(snapshot, clusters));
}
