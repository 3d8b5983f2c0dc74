import { create } from '@bufbuild/protobuf';
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '#gen/envoy/config/core/v3/config_source_pb.js';
import { duration } from './duration.ts';

/** The bootstrap's cluster for the agent's secrets. */
export const SDS_CLUSTER = 'sds-grpc';
/** The bootstrap's cluster for the control plane. */
export const CONTROL_PLANE_CLUSTER = 'xds-grpc';

/** Resources by the aggregated stream; no time limit, so that a slow control plane delays traffic but never opens it. */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: { case: 'ads', value: {} },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  });
}

/** Secrets by the agent's Unix socket. */
export function sdsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: SDS_CLUSTER } } }],
      },
    },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  });
}
