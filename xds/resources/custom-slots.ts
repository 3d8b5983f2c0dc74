import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ExtAuthzSchema } from '#gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { authorizingProviders } from '../../mesh/model/extension-provider.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Clusters } from '../../policy/compile/custom/asking.ts';
import { askingName, askingOf, markingFor, markingName } from '../../policy/compile/custom/filters.ts';
import { BLACK_HOLE, outboundCluster } from '../../routing/names.ts';
import type { Slot } from './security.ts';

/** How routing calls the clusters in which authorizers are found. */
export const CLUSTERS: Clusters = Object.freeze<Clusters>({
  of: (port, host) => outboundCluster(port, undefined, host),
  none: BLACK_HOLE,
});

const NO_RULES = anyPack(RBACSchema, create(RBACSchema));

/**
 * CUSTOM: for each provider a filter that marks and one that asks about what is marked. The one that asks depends on no policy and is never
 * empty: were it put there with the first policy, it might arrive after the marks, or be refused by Envoy, and marks alone stop nothing.
 */
export function customSlots(meshConfig: MeshConfig): readonly Slot[] {
  return authorizingProviders(meshConfig).flatMap((provider) => [
    {
      name: markingName(provider.name),
      types: [`type.googleapis.com/${RBACSchema.typeName}`],
      fill: ({ snapshot, workload }) => markingFor(snapshot, workload, provider),
      empty: () => NO_RULES,
    },
    {
      name: askingName(provider.name),
      types: [`type.googleapis.com/${ExtAuthzSchema.typeName}`],
      fill: ({ snapshot, workload }) => markingFor(snapshot, workload, provider) && askingOf(snapshot, provider, CLUSTERS),
      empty: ({ snapshot }) => askingOf(snapshot, provider, CLUSTERS),
    },
  ]);
}
