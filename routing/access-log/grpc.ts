import { create } from '@bufbuild/protobuf';
import { type AccessLog, AccessLogSchema } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { ApiVersion } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/grpc_access_log_pb.js';
import { typedConfig } from '../wire/any.ts';
import { CONTROL_PLANE_CLUSTER } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';

/** From where a proxy saw the traffic; the audit intake reads it as the log's name. */
export type Vantage = 'inbound' | 'outbound' | 'gateway';

/** Records reach the audit intake at most this late, and in no larger batches (bytes). */
const FLUSH_MS = 200;
const BATCH_BYTES = 16_384;

/** The tag of a record in which a proxy names the certificate that its caller showed: the serial number, in lower-case hexadecimal. */
export const SERIAL_TAG = 'peer-serial';

/** What stands there where the proxy cannot name it: before Envoy 1.37. */
const UNNAMED = '-';

/** Only where the caller is at the other end of the connection: a workload's own proxy has it without a certificate. */
function serialTag(vantage: Vantage) {
  return vantage === 'outbound' ? [] : [{ tag: SERIAL_TAG, literal: { value: UNNAMED }, value: '%DOWNSTREAM_PEER_SERIAL%' }];
}

/** The tag of records of connections whose beginning was told as well, so that it is not counted with the end. */
export const ANNOUNCED_TAG = 'announced';

function commonConfig(vantage: Vantage) {
  return {
    logName: vantage,
    transportApiVersion: ApiVersion.V3,
    bufferFlushInterval: duration(FLUSH_MS),
    bufferSizeBytes: BATCH_BYTES,
    customTags: serialTag(vantage),
    grpcService: { targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: CONTROL_PLANE_CLUSTER } } },
  };
}

/** One record per request, sent to the control plane; Envoy adds all dynamic metadata (the RBAC decision) by itself. */
export function httpAccessLog(vantage: Vantage): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.http_grpc',
    configType: typedConfig(HttpGrpcAccessLogConfigSchema, {
      commonConfig: commonConfig(vantage),
      // Tells gRPC from other HTTP/2.
      additionalRequestHeadersToLog: ['content-type'],
      // Of gRPC, what became of it: in the headers where there is nothing else.
      additionalResponseHeadersToLog: ['grpc-status'],
      additionalResponseTrailersToLog: ['grpc-status'],
    }),
  });
}

/**
 * One record per connection when it ends, sent to the control plane, and with `flushAccessLogOnConnected` of the TCP proxy one when the
 * connection to where it leads is there.
 */
export function tcpAccessLog(vantage: Vantage): AccessLog {
  const common = commonConfig(vantage);
  const customTags = [...common.customTags, { tag: ANNOUNCED_TAG, literal: { value: '1' } }];
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.tcp_grpc',
    configType: typedConfig(TcpGrpcAccessLogConfigSchema, { commonConfig: { ...common, customTags } }),
  });
}

/**
 * One record per connection that no filter chain took: plain text toward a STRICT port. Such a connection reaches neither
 * an HTTP nor a TCP filter, so only the listener can tell of it.
 */
export function refusedConnectionLog(vantage: Vantage): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.tcp_grpc',
    configType: typedConfig(TcpGrpcAccessLogConfigSchema, { commonConfig: commonConfig(vantage) }),
    filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['NR'] } } },
  });
}
