import type { MessageInitShape } from '@bufbuild/protobuf';
import { OpenTelemetryConfigSchema } from '#gen/envoy/config/trace/v3/opentelemetry_pb.js';
import type {
  HttpConnectionManager_TracingSchema,
  RequestIDExtensionSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { UuidRequestIdConfigSchema } from '#gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js';
import {
  ZipkinConfig_CollectorEndpointVersion,
  ZipkinConfig_TraceContextOption,
  ZipkinConfigSchema,
} from '#gen/gatehouse/envoy/v3/zipkin_pb.js';
import type { OpenTelemetryProvider, ZipkinProvider } from '../../mesh/model/telemetry.ts';
import type { Scope } from '../scope.ts';
import { typedConfig } from '../wire/any.ts';
import { duration } from '../wire/duration.ts';
import type { Destination } from './collector.ts';
import type { TracingSettings } from './settings.ts';
import { spanTags, tracedName } from './tags.ts';

/** Envoy's own, for collectors that answer slowly: spans are dropped, never requests. */
const EXPORT_TIMEOUT_MS = 10_000;

function headersToAdd(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([key, value]) => ({ header: { key, value } }));
}

function exporter({ transport, port }: OpenTelemetryProvider, { cluster, host }: Destination) {
  const timeout = duration(transport.timeoutMs ?? EXPORT_TIMEOUT_MS);
  switch (transport.kind) {
    case 'grpc':
      return {
        grpcService: {
          targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: cluster, authority: host } },
          timeout,
          initialMetadata: Object.entries(transport.headers).map(([key, value]) => ({ key, value })),
        },
      };
    case 'http':
      return {
        httpService: {
          httpUri: {
            uri: `http://${host}:${port}${transport.path}`,
            httpUpstreamType: { case: 'cluster' as const, value: cluster },
            timeout,
          },
          requestHeadersToAdd: headersToAdd(transport.headers),
        },
      };
    default:
      return transport satisfies never;
  }
}

/** Only the newer form knows a time limit and headers. */
function zipkinCollector({ path, port, timeoutMs, headers }: ZipkinProvider, { cluster, host }: Destination) {
  if (timeoutMs === undefined && Object.keys(headers).length === 0)
    return { collectorCluster: cluster, collectorEndpoint: path, collectorHostname: host };
  return {
    collectorService: {
      httpUri: {
        uri: `http://${host}:${port}${path}`,
        httpUpstreamType: { case: 'cluster' as const, value: cluster },
        timeout: duration(timeoutMs ?? EXPORT_TIMEOUT_MS),
      },
      requestHeadersToAdd: headersToAdd(headers),
    },
  };
}

function provider(scope: Scope, { provider: one, destination }: TracingSettings) {
  switch (one.kind) {
    case 'zipkin':
      return {
        name: 'envoy.tracers.zipkin',
        configType: typedConfig(ZipkinConfigSchema, {
          ...zipkinCollector(one, destination),
          collectorEndpointVersion: ZipkinConfig_CollectorEndpointVersion.HTTP_JSON,
          traceContextOption: one.w3c
            ? ZipkinConfig_TraceContextOption.USE_B3_WITH_W3C_PROPAGATION
            : ZipkinConfig_TraceContextOption.USE_B3,
          traceId128bit: !one.use64BitTraceId,
          // Client and server each have a span of their own, as Istio's.
          sharedSpanContext: false,
        }),
      };
    case 'opentelemetry':
      return {
        name: 'envoy.tracers.opentelemetry',
        configType: typedConfig(OpenTelemetryConfigSchema, {
          ...exporter(one, destination),
          serviceName: tracedName(scope.proxy),
        }),
      };
    default:
      return one satisfies never;
  }
}

/** Tracing of an HTTP connection manager. Clients' wishes (`x-envoy-force-trace`) are heard in full, as Istio has it. */
export function tracingOf(scope: Scope, settings: TracingSettings): MessageInitShape<typeof HttpConnectionManager_TracingSchema> {
  return {
    clientSampling: { value: 100 },
    randomSampling: { value: settings.sampling },
    overallSampling: { value: 100 },
    customTags: spanTags(scope.snapshot, scope.proxy, settings.customTags),
    provider: provider(scope, settings),
    ...(settings.maxTagLength === undefined ? {} : { maxPathTagLength: settings.maxTagLength }),
  };
}

/** Whether the request's ID carries the decision to trace; Envoy's default is that it does. */
export function requestId({ useRequestId }: TracingSettings): MessageInitShape<typeof RequestIDExtensionSchema> | undefined {
  if (useRequestId) return undefined;
  return { typedConfig: typedConfig(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: false }).value };
}
