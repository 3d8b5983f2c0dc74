import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { HttpProtocolOptionsSchema } from '#gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import type { ConnectionPool } from '../../mesh/model/destination-rule.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import { duration } from '../wire/duration.ts';

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type Upstream = NonNullable<MessageInitShape<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions']>;

function upstream(protocol: Protocol): Upstream | undefined {
  switch (protocol) {
    case 'http':
      return { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } };
    case 'http2':
    case 'grpc':
      return { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } } };
    case 'unknown':
      return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } };
    case 'tcp':
    case 'tls':
    case 'https':
    case 'udp':
      return undefined;
    default:
      return protocol satisfies never;
  }
}

function optionsFor(protocol: Protocol, pool: ConnectionPool | undefined): Record<string, Any> {
  const upstreamProtocolOptions = upstream(protocol);
  if (upstreamProtocolOptions === undefined) return {};
  const idle = pool?.idleTimeoutMs;
  const perConnection = pool?.maxRequestsPerConnection;
  const commonHttpProtocolOptions =
    idle === undefined && perConnection === undefined
      ? undefined
      : {
          idleTimeout: idle === undefined ? undefined : duration(idle),
          maxRequestsPerConnection: perConnection === 0 ? undefined : perConnection,
        };
  return {
    [EXTENSION]: anyPack(
      HttpProtocolOptionsSchema,
      create(HttpProtocolOptionsSchema, { upstreamProtocolOptions, commonHttpProtocolOptions }),
    ),
  };
}

const withoutPool = new Map<Protocol, Record<string, Any>>();

/** How a cluster speaks HTTP; empty for clusters that do not. */
export function httpProtocolOptions(protocol: Protocol, pool?: ConnectionPool): Record<string, Any> {
  if (pool !== undefined) return optionsFor(protocol, pool);
  const known = withoutPool.get(protocol) ?? optionsFor(protocol, undefined);
  withoutPool.set(protocol, known);
  return known;
}
