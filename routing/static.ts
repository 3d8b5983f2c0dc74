import { create, type JsonValue, toJson } from '@bufbuild/protobuf';
import { type Bootstrap, BootstrapSchema } from '#gen/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { CompiledProxy } from './compile.ts';
import { staticCluster, supportingClusters } from './static/cluster.ts';
import { staticListener } from './static/listener.ts';
import type { StaticOptions } from './static/options.ts';
import { socketAddress } from './wire/address.ts';
import { EXTENSIONS } from './wire/registry.ts';

export type { StaticAccessLog, StaticOptions, StaticSecrets } from './static/options.ts';

/**
 * As in an agent's bootstrap. RE2's own limit of 100 instructions refuses long alternatives; Istio's figure. A path's fragment is cut
 * off before policies and routes see it, as Istio has it, and the request is not refused.
 */
const SETTINGS = Object.freeze({
  're2.max_program_size.error_level': 32_768,
  're2.max_program_size.warn_level': 32_768,
  'envoy.reloadable_features.http_reject_path_with_fragment': false,
});

/**
 * A complete Envoy configuration with everything in it that a control plane would have sent.
 * @throws TypeError when a listener names routes that `compiled` has not: a bug in the compiler
 */
function staticBootstrap(compiled: CompiledProxy, options: StaticOptions): Bootstrap {
  const routes = new Map(compiled.routes.map((one) => [one.name, one]));
  const endpoints = new Map(compiled.endpoints.map((one) => [one.clusterName, one]));
  return create(BootstrapSchema, {
    node: options.node,
    ...(options.admin === undefined ? {} : { admin: { address: socketAddress(options.admin.address, options.admin.port) } }),
    staticResources: {
      clusters: [
        ...supportingClusters(options),
        ...compiled.clusters.map((cluster) => staticCluster(cluster, endpoints, options)),
      ],
      listeners: compiled.listeners.map((listener) => staticListener(listener, routes, options)),
    },
    layeredRuntime: { layers: [{ name: 'static', layerSpecifier: { case: 'staticLayer', value: { ...SETTINGS } } }] },
  });
}

/** {@link staticBootstrap} as the JSON that `envoy -c` reads. */
export function staticConfig(compiled: CompiledProxy, options: StaticOptions): JsonValue {
  return toJson(BootstrapSchema, staticBootstrap(compiled, options), { registry: EXTENSIONS });
}
