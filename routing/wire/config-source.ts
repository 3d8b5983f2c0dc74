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
/** The bootstrap's cluster for access logs: the control plane, or the agent that hands them on to it. */
export const CONTROL_PLANE_CLUSTER = 'xds-grpc';

// One message each, shared by everything that names it: compiled messages are never changed.

const ADS = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: 'ads', value: {} },
  initialFetchTimeout: duration(0),
  resourceApiVersion: ApiVersion.V3,
});

const sds = (initialFetchTimeoutMs: number): ConfigSource =>
  create(ConfigSourceSchema, {
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: SDS_CLUSTER } } }],
      },
    },
    initialFetchTimeout: duration(initialFetchTimeoutMs),
    resourceApiVersion: ApiVersion.V3,
  });

const SDS = sds(0);
const NAMED_SDS = sds(5_000);

/** Resources by the aggregated stream; no time limit, so that a slow control plane delays traffic but never opens it. */
export function adsSource(): ConfigSource {
  return ADS;
}

/** The workload's own certificate by the agent's Unix socket; no time limit either. */
export function sdsSource(): ConfigSource {
  return SDS;
}

/**
 * A secret that somebody named, and which may be missing: what needs it is waited for a while only, so that one missing Secret does not keep a
 * whole port closed. Until the secret is there Envoy closes the connections that need it.
 */
export function namedSdsSource(): ConfigSource {
  return NAMED_SDS;
}
