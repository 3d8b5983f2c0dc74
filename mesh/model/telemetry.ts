import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';
import type { TargetRef } from './target-ref.ts';

/** Of which traffic a rule speaks: what a workload sends (gateways: everything), or what it is sent. */
export type TelemetryMode = 'CLIENT_AND_SERVER' | 'CLIENT' | 'SERVER';

/** What is written beside a span's name. Where nothing is found and there is no default, the tag is left out. */
export type CustomTag =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'environment'; readonly name: string; readonly defaultValue: string }
  | { readonly kind: 'header'; readonly name: string; readonly defaultValue: string };

export type CustomTags = Readonly<Record<string, CustomTag>>;

/** An entry of a Telemetry's `tracing`; what is undefined is as the level above says. */
export interface TracingRule {
  readonly mode: TelemetryMode;
  readonly providers: readonly string[];
  /** 0 to 100. */
  readonly sampling: number | undefined;
  readonly disabled: boolean | undefined;
  readonly customTags: CustomTags | undefined;
  readonly useRequestId: boolean | undefined;
}

/** An entry of a Telemetry's `accessLogging`. */
export interface AccessLoggingRule {
  readonly mode: TelemetryMode;
  readonly providers: readonly string[];
  readonly disabled: boolean;
  /** In CEL over Envoy's attributes: only what it holds for is logged. */
  readonly filter: string | undefined;
}

/** Istio's standard metrics, by the names that a Telemetry has for them. */
export const STANDARD_METRICS = Object.freeze([
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const);
export type StandardMetric = (typeof STANDARD_METRICS)[number];

/** Those of Envoy's attributes that a record of a call has as well, whoever tells it. */
export const TAG_ATTRIBUTES = Object.freeze([
  'request.method',
  'request.protocol',
  'response.code',
  'response.grpc_status',
  'destination.port',
  'connection.mtls',
  'connection.uri_san_peer_certificate',
] as const);
export type TagAttribute = (typeof TAG_ATTRIBUTES)[number];

/** What becomes of a label of a metric. */
export type TagOverride =
  | { readonly kind: 'remove' }
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'attribute'; readonly attribute: TagAttribute };

export type TagOverrides = Readonly<Record<string, TagOverride>>;

/** An entry of `overrides`. */
export interface MetricOverride {
  readonly mode: TelemetryMode;
  /** Undefined: all of them. */
  readonly metrics: readonly StandardMetric[] | undefined;
  readonly disabled: boolean | undefined;
  readonly tags: TagOverrides;
}

/** An entry of a Telemetry's `metrics`. */
export interface MetricsRule {
  readonly providers: readonly string[];
  readonly overrides: readonly MetricOverride[];
}

export interface Telemetry {
  readonly meta: Meta;
  /** Empty, without targets: the whole namespace (the whole mesh, in the root namespace). */
  readonly selector: Labels;
  readonly targetRefs: readonly TargetRef[];
  readonly tracing: readonly TracingRule[];
  readonly accessLogging: readonly AccessLoggingRule[];
  readonly metrics: readonly MetricsRule[];
}

/** Who is sent spans: a Service of the mesh, by its host (a namespace where several have it) and port. */
export interface Collector {
  readonly service: { readonly namespace: string | undefined; readonly host: string };
  readonly port: Port;
}

export interface ZipkinProvider extends Collector {
  readonly kind: 'zipkin';
  readonly path: string;
  readonly maxTagLength: number | undefined;
  readonly use64BitTraceId: boolean;
  /** W3C's header beside B3's: read where there are none of B3's, and always written. */
  readonly w3c: boolean;
  readonly timeoutMs: number | undefined;
  /** For the collector, with the spans. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface OpenTelemetryProvider extends Collector {
  readonly kind: 'opentelemetry';
  readonly maxTagLength: number | undefined;
  readonly transport:
    | { readonly kind: 'grpc'; readonly timeoutMs: number | undefined; readonly headers: Readonly<Record<string, string>> }
    | {
        readonly kind: 'http';
        readonly path: string;
        readonly timeoutMs: number | undefined;
        readonly headers: Readonly<Record<string, string>>;
      };
}

/** How a line of an access log is written; JSON fields may be nested. */
export type LogFormat = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'json'; readonly fields: JsonFields };
export interface JsonFields {
  readonly [name: string]: string | JsonFields;
}

/** Lines of text to a file; `format` undefined: Istio's. */
export interface FileLogProvider {
  readonly kind: 'file-log';
  readonly path: string;
  readonly format: LogFormat | undefined;
}

/** Records of requests (`http`), connections (`tcp`) or both (`otel`, OpenTelemetry's own protocol) to a Service by gRPC. */
export interface SentLogProvider extends Collector {
  readonly kind: 'sent-log';
  readonly protocol: 'http' | 'tcp' | 'otel';
  readonly logName: string;
  readonly filterStateObjects: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
  /** Of OpenTelemetry: the body of a record; undefined: Istio's line. */
  readonly text: string | undefined;
  /** Of OpenTelemetry: what stands beside the body. */
  readonly attributes: Readonly<Record<string, string>>;
}

export type LogProvider = FileLogProvider | SentLogProvider;
export type TelemetryProvider = ZipkinProvider | OpenTelemetryProvider | LogProvider;

/** What MeshConfig says of telemetry; absent fields are as Istio's. */
export interface MeshTelemetry {
  readonly enableTracing: boolean;
  /** `defaultConfig.tracing.zipkin.address`, as HOST:PORT. */
  readonly zipkinAddress: { readonly host: string; readonly port: Port } | undefined;
  readonly sampling: number | undefined;
  readonly customTags: CustomTags | undefined;
  readonly maxPathTagLength: number | undefined;
  readonly defaultTracing: readonly string[];
  readonly defaultAccessLogging: readonly string[];
  /** Undefined: Istio's metrics are counted, as its installations say by default. */
  readonly defaultMetrics: readonly string[] | undefined;
  /** `accessLogFile` with its format: for proxies of which neither a Telemetry nor a default provider speaks. */
  readonly accessLog: FileLogProvider | undefined;
}
