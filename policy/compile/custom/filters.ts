import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { ExtAuthzProvider } from '../../../mesh/model/extension-provider.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { keptBy } from '../../kept.ts';
import { policiesFor, type SelectedWorkload } from '../../select.ts';
import { askingsOf } from './applying.ts';
import { type Clusters, httpAsking, tcpAsking } from './asking.ts';
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

const kept = new WeakMap<Snapshot, Map<string, Any>>();

/** The HTTP filter that asks a provider: the same in front of every workload, and there also while nothing is marked. */
export function askingOf(snapshot: Snapshot, provider: ExtAuthzProvider, clusters: Clusters): Any {
  const known = kept.get(snapshot) ?? new Map<string, Any>();
  kept.set(snapshot, known);
  const made = known.get(provider.name) ?? httpAsking(snapshot, provider, clusters);
  known.set(provider.name, made);
  return made;
}

function filter(name: string, value: Any): Filter {
  return create(FilterSchema, { name, configType: { case: 'typedConfig', value } });
}

/** The network filters of CUSTOM policies on a TCP port: for each provider one that marks and one that asks. */
export function tcpCustom(snapshot: Snapshot, workload: SelectedWorkload, clusters: Clusters): readonly Filter[] {
  const asked = askingsOf(policiesFor(snapshot, workload), snapshot.meshConfig, 'tcp');
  if (asked.length === 0) return [];
  const filters = asked.flatMap((asking) => {
    const { provider } = asking;
    if (provider.kind !== 'ext-authz-grpc') return [];
    return [
      filter(`envoy.filters.network.rbac.custom.${provider.name}`, tcpMarking(asking)),
      filter(`envoy.filters.network.ext_authz.${provider.name}`, tcpAsking(snapshot, provider, clusters)),
    ];
  });
  return [filter('envoy.filters.network.rbac.custom', tcpEditionFilter(asked)), ...filters];
}
