import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import type { ConnectionPool } from '../../mesh/model/destination-rule.ts';
import { errorsOf } from './outlier-detection.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import { duration } from '../wire/duration.ts';

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type Upstream = NonNullable<MessageInitShape<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions']>;

function http2(pool: ConnectionPool | undefined) {
  const alive = pool?.http2KeepAlive;
  return {
    ...(pool?.maxConcurrentStreams === undefined || pool.maxConcurrentStreams === 0
      ? {}
      : { maxConcurrentStreams: pool.maxConcurrentStreams }),
    ...(alive === undefined
      ? {}
      : { connectionKeepalive: { interval: duration(alive.intervalMs), timeout: duration(alive.timeoutMs) } }),
  };
}

/** What a port speaks once a DestinationRule or the mesh has had its word: HTTP/1.1 may be carried over HTTP/2. */
export function upgraded(protocol: Protocol, toHttp2: boolean | undefined): Protocol {
  return protocol === 'http' && toHttp2 === true ? 'http2' : protocol;
}

function upstream(protocol: Protocol, pool: ConnectionPool | undefined): Upstream | undefined {
  const asClient: Upstream = {
    case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: {}, http2ProtocolOptions: http2(pool) },
  };
  switch (protocol) {
    case 'http':
      return pool?.useClientProtocol === true
        ? asClient
        : { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } };
    case 'http2':
    case 'grpc':
      return pool?.useClientProtocol === true
        ? asClient
        : { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: http2(pool) } } };
    case 'unknown':
      return asClient;
    case 'tcp':
    case 'tls':
    case 'https':
    case 'udp':
      return undefined;
    default:
      return protocol satisfies never;
  }
}

function optionsFor(
  protocol: Protocol,
  pool: ConnectionPool | undefined,
  hostByRequest: HostByRequest,
  errorCodes: readonly number[],
): Record<string, Any> {
  const upstreamProtocolOptions = upstream(protocol, pool);
  if (upstreamProtocolOptions === undefined) return {};
  const idle = pool?.idleTimeoutMs;
  const perConnection = pool?.maxRequestsPerConnection;
  const longest = pool?.maxConnectionDurationMs;
  const commonHttpProtocolOptions =
    idle === undefined && perConnection === undefined && longest === undefined
      ? undefined
      : {
          idleTimeout: idle === undefined ? undefined : duration(idle),
          maxRequestsPerConnection: perConnection === 0 ? undefined : perConnection,
          maxConnectionDuration: longest === undefined ? undefined : duration(longest),
        };
  const upstreamHttpProtocolOptions =
    hostByRequest === 'no' ? undefined : { autoSni: true, autoSanValidation: hostByRequest === 'named and checked' };
  return {
    [EXTENSION]: anyPack(
      HttpProtocolOptionsSchema,
      create(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions,
        commonHttpProtocolOptions,
        upstreamHttpProtocolOptions,
        ...(errorCodes.length === 0 ? {} : { outlierDetection: { errorMatcher: errorsOf(errorCodes) } }),
      }),
    ),
  };
}

/** Whether the host of each request names the server in TLS (SNI), and must be in the server's certificate. */
export type HostByRequest = 'no' | 'named' | 'named and checked';

const withoutPool = new Map<Protocol, Record<string, Any>>();

/**
 * How a cluster speaks HTTP; empty for clusters that do not.
 * @param errorCodes answers that count as errors in outlier detection; empty: those from 500 on
 */
export function httpProtocolOptions(
  protocol: Protocol,
  pool?: ConnectionPool,
  hostByRequest: HostByRequest = 'no',
  errorCodes: readonly number[] = [],
): Record<string, Any> {
  if (pool !== undefined || hostByRequest !== 'no' || errorCodes.length > 0)
    return optionsFor(protocol, pool, hostByRequest, errorCodes);
  const known = withoutPool.get(protocol) ?? optionsFor(protocol, undefined, 'no', []);
  withoutPool.set(protocol, known);
  return known;
}
