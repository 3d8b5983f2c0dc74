import { create } from '@bufbuild/protobuf';
import { type LayeredRuntime, LayeredRuntimeSchema } from '#gen/envoy/config/bootstrap/v3/bootstrap_pb.js';

/** Settings of Envoy that are not in its API. */
const SETTINGS = {
  // One policy may become one long expression; RE2's default of 100 instructions refuses those. Istio's limits.
  're2.max_program_size.error_level': 32768,
  're2.max_program_size.warn_level': 32768,
  // A path with a fragment is not refused but matched without it, as in an Istio mesh: policies written for Istio rely on it.
  'envoy.reloadable_features.http_reject_path_with_fragment': false,
} as const;

export function runtime(): LayeredRuntime {
  return create(LayeredRuntimeSchema, {
    layers: [
      { name: 'gatehouse', layerSpecifier: { case: 'staticLayer', value: SETTINGS } },
      { name: 'admin', layerSpecifier: { case: 'adminLayer', value: {} } },
    ],
  });
}
