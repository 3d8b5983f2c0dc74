import { create } from '@bufbuild/protobuf';
import { type CircuitBreakers, CircuitBreakersSchema } from '#gen/envoy/config/cluster/v3/circuit_breaker_pb.js';
import type { ConnectionPool, RetryBudget, TcpKeepalive } from '../../mesh/model/destination-rule.ts';

/** As Istio: no limit unless one is asked for; Envoy's own defaults (1024, 3 retries) surprise under load. */
const UNLIMITED = 0xffffffff;

function breakers(pool: ConnectionPool | undefined, budget: RetryBudget | undefined): CircuitBreakers {
  return create(CircuitBreakersSchema, {
    thresholds: [
      {
        maxConnections: pool?.maxConnections ?? UNLIMITED,
        maxPendingRequests: pool?.http1MaxPendingRequests ?? UNLIMITED,
        maxRequests: pool?.http2MaxRequests ?? UNLIMITED,
        maxRetries: pool?.maxRetries ?? UNLIMITED,
        trackRemaining: true,
        ...(budget === undefined
          ? {}
          : {
              // Envoy's default is 20 percent and 3, as Istio documents them.
              retryBudget: {
                ...(budget.percent === undefined ? {} : { budgetPercent: { value: budget.percent } }),
                minRetryConcurrency: budget.minRetryConcurrency,
              },
            }),
      },
    ],
  });
}

const NO_LIMITS = breakers(undefined, undefined);

/** @param budget replaces the limit of retries */
export function circuitBreakers(pool: ConnectionPool | undefined, budget?: RetryBudget): CircuitBreakers {
  return pool === undefined && budget === undefined ? NO_LIMITS : breakers(pool, budget);
}

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : Math.max(1, Math.round(ms / 1000)));

/** Probes by which a dead peer is noticed; the kernel counts in seconds. */
export function tcpKeepalive({ probes, timeMs, intervalMs }: TcpKeepalive) {
  return {
    tcpKeepalive: { keepaliveProbes: probes, keepaliveTime: seconds(timeMs), keepaliveInterval: seconds(intervalMs) },
  };
}
