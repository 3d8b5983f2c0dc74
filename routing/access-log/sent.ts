import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessLogSchema } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { ApiVersion } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/grpc_access_log_pb.js';
import { OpenTelemetryAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/open_telemetry_log_pb.js';
import { typedConfig } from '../wire/any.ts';
import { TEXT } from './format.ts';
import type { LogDestination } from './settings.ts';

type Logger = Pick<MessageInitShape<typeof AccessLogSchema>, 'name' | 'configType'>;

/** Sends records to a Service by gRPC; undefined where its protocol has no records of that kind. */
export function sentLogger(
  { provider, to }: Extract<LogDestination, { kind: 'sent' }>,
  of: 'request' | 'connection',
): Logger | undefined {
  const commonConfig = {
    logName: provider.logName,
    transportApiVersion: ApiVersion.V3,
    grpcService: { targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: to.cluster, authority: to.host } } },
    filterStateObjectsToLog: [...provider.filterStateObjects],
  };
  switch (provider.protocol) {
    case 'http':
      if (of === 'connection') return undefined;
      return {
        name: 'envoy.access_loggers.http_grpc',
        configType: typedConfig(HttpGrpcAccessLogConfigSchema, {
          commonConfig,
          additionalRequestHeadersToLog: [...provider.requestHeaders],
          additionalResponseHeadersToLog: [...provider.responseHeaders],
          additionalResponseTrailersToLog: [...provider.responseTrailers],
        }),
      };
    case 'tcp':
      if (of === 'request') return undefined;
      return { name: 'envoy.access_loggers.tcp_grpc', configType: typedConfig(TcpGrpcAccessLogConfigSchema, { commonConfig }) };
    case 'otel': {
      const value = (text: string) => ({ value: { case: 'stringValue' as const, value: text } });
      return {
        name: 'envoy.access_loggers.open_telemetry',
        configType: typedConfig(OpenTelemetryAccessLogConfigSchema, {
          commonConfig,
          body: value(provider.text ?? TEXT),
          attributes: { values: Object.entries(provider.attributes).map(([key, text]) => ({ key, value: value(text) })) },
        }),
      };
    }
    default:
      return provider.protocol satisfies never;
  }
}
