import { create } from '@bufbuild/protobuf';
import { type CircuitBreakers, CircuitBreakersSchema } from '#gen/envoy/config/cluster/v3/circuit_breaker_pb.js';
import type { ConnectionPool } from '../../mesh/model/destination-rule.ts';

/** As Istio: no limit unless one is asked for; Envoy's own defaults (1024, 3 retries) surprise under load. */
const UNLIMITED = 0xffffffff;

function breakers(pool: ConnectionPool | undefined): CircuitBreakers {
  return create(CircuitBreakersSchema, {
    thresholds: [
      {
        maxConnections: pool?.maxConnections ?? UNLIMITED,
        maxPendingRequests: pool?.http1MaxPendingRequests ?? UNLIMITED,
        maxRequests: pool?.http2MaxRequests ?? UNLIMITED,
        maxRetries: pool?.maxRetries ?? UNLIMITED,
        trackRemaining: true,
      },
    ],
  });
}

const NO_LIMITS = breakers(undefined);

export function circuitBreakers(pool: ConnectionPool | undefined): CircuitBreakers {
  return pool === undefined ? NO_LIMITS : breakers(pool);
}
