import type { HttpFilter } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { Filter } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Port } from '../mesh/model/port.ts';
import type { Workload } from '../mesh/model/workload.ts';

export type EffectiveMtls = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/**
 * What policy decides for one proxy, as routing needs it; implemented where policy and routing meet. All answers must be
 * the same for the same snapshot.
 */
export interface InboundSecurity {
  /** The mTLS mode of the proxy's own workload for one of its ports. */
  mtlsMode(port: Port): EffectiveMtls;
  /** The mTLS mode of any workload's port: a caller must not use mTLS toward a port that has it turned off. */
  peerMtlsMode(workload: Workload, port: Port): EffectiveMtls;
  /** HTTP filters that decide, in order, before the router. */
  httpFilters(): readonly HttpFilter[];
  /** Network filters that decide, in order, before the TCP proxy. */
  networkFilters(): readonly Filter[];
}
