import { create } from '@bufbuild/protobuf';
import { type RetryPolicy, RetryPolicySchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { PreviousHostsPredicateSchema } from '#gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import { PreviousPrioritiesConfigSchema } from '#gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import type { Protocol } from '../../mesh/model/port.ts';
import type { Retries } from '../../mesh/model/virtual-service.ts';
import { typedConfig } from '../wire/any.ts';
import { duration } from '../wire/duration.ts';

const DEFAULT_ATTEMPTS = 2;
const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';
/** Attempts to find a host that has not been tried. */
const HOST_ATTEMPTS = 5n;
const STATUS = /^[1-5][0-9]{2}$/;

/** Later tries go on to priorities that were not tried: endpoints further away. */
const LATER_PRIORITIES = Object.freeze({ updateFrequency: 2 });

interface Settings {
  readonly numRetries: number;
  readonly retryOn: string;
  readonly statusCodes: readonly number[];
  readonly perTryTimeoutMs: number | undefined;
  readonly backoffMs: number | undefined;
  readonly elsewhere: boolean;
  readonly remote: boolean;
}

function policy(settings: Settings): RetryPolicy {
  const { numRetries, retryOn, statusCodes, perTryTimeoutMs, backoffMs, elsewhere, remote } = settings;
  return create(RetryPolicySchema, {
    numRetries,
    retryOn,
    retriableStatusCodes: [...statusCodes],
    hostSelectionRetryMaxAttempts: HOST_ATTEMPTS,
    retryHostPredicate: elsewhere
      ? [{ name: 'envoy.retry_host_predicates.previous_hosts', configType: typedConfig(PreviousHostsPredicateSchema, {}) }]
      : [],
    ...(remote
      ? {
          retryPriority: {
            name: 'envoy.retry_priorities.previous_priorities',
            configType: typedConfig(PreviousPrioritiesConfigSchema, LATER_PRIORITIES),
          },
        }
      : {}),
    ...(perTryTimeoutMs === undefined ? {} : { perTryTimeout: duration(perTryTimeoutMs) }),
    ...(backoffMs === undefined ? {} : { retryBackOff: { baseInterval: duration(backoffMs) } }),
  });
}

const DEFAULTS: Settings = Object.freeze({
  numRetries: DEFAULT_ATTEMPTS,
  retryOn: DEFAULT_RETRY_ON,
  statusCodes: [],
  perTryTimeoutMs: undefined,
  backoffMs: undefined,
  elsewhere: true,
  remote: false,
});

const BY_DEFAULT = policy(DEFAULTS);
const BY_DEFAULT_HASHED = policy({ ...DEFAULTS, elsewhere: false });

/**
 * Istio's default: two retries, only where the request has surely not been served. Zero attempts turns retries off.
 * Numbers in `retryOn` are status codes, and then `retriable-status-codes` is meant as well.
 * @param hashed a hash chooses the endpoint, which retries then keep to
 */
export function retryPolicy(retries: Retries | undefined, hashed = false): RetryPolicy | undefined {
  if (retries === undefined) return hashed ? BY_DEFAULT_HASHED : BY_DEFAULT;
  if (retries.attempts <= 0) return undefined;
  const given = retries.retryOn.map((one) => one.trim()).filter((one) => one !== '');
  const codes = given.filter((one) => STATUS.test(one)).map(Number);
  const conditions = given.filter((one) => !STATUS.test(one));
  if (codes.length > 0 && !conditions.includes('retriable-status-codes')) conditions.push('retriable-status-codes');
  return policy({
    numRetries: retries.attempts,
    retryOn: conditions.length === 0 ? DEFAULT_RETRY_ON : conditions.join(','),
    statusCodes: codes,
    perTryTimeoutMs: retries.perTryTimeoutMs,
    backoffMs: retries.backoffMs,
    elsewhere: retries.ignorePreviousHosts ?? !hashed,
    remote: retries.retryRemoteLocalities,
  });
}

const INBOUND = create(RetryPolicySchema, { numRetries: DEFAULT_ATTEMPTS, retryOn: 'reset-before-request' });

/** Toward the own application: only what it has not begun to read, unless the mesh says otherwise. gRPC clients retry by themselves. */
export function inboundRetryPolicy(protocol: Protocol, retries: Retries | undefined): RetryPolicy | undefined {
  if (protocol === 'grpc') return undefined;
  if (retries === undefined) return INBOUND;
  const retryOn = retries.retryOn.length > 0 ? retries.retryOn : ['reset-before-request'];
  return retryPolicy({ ...retries, retryOn, ignorePreviousHosts: false, retryRemoteLocalities: false });
}
