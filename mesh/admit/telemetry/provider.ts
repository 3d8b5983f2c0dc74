import { isIP } from 'node:net';
import { parseHostname } from '../../model/hostname.ts';
import type { Collector, FileLogProvider, SentLogProvider, TelemetryProvider } from '../../model/telemetry.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isNamespaceName } from '../hosts.ts';
import { shorten } from '../node.ts';
import { flag, integer, oneOf, optionalText, port, requiredText, text, texts } from '../scalar.ts';
import { jsonFormat, textFormat, textFields } from './log-format.ts';

/** Istio's fields of MeshConfig's `extensionProviders` that are telemetry and applied. */
export const TELEMETRY_KINDS = [
  'zipkin',
  'opentelemetry',
  'envoyFileAccessLog',
  'envoyHttpAls',
  'envoyTcpAls',
  'envoyOtelAls',
] as const;
export type TelemetryKind = (typeof TELEMETRY_KINDS)[number];

const STDOUT = '/dev/stdout';
const TOKEN = /^[A-Za-z0-9!#$%&'+.^_`|~-]+$/;
const PATH = /^\/[\x21-\x7e]*$/;

function collector(fields: { readonly service: Field; readonly port: Field }): Collector | undefined {
  const written = requiredText(fields.service, 'name the Service, as zipkin.istio-system.svc.cluster.local');
  const at = port(fields.port);
  if (!fields.port.given) fields.port.error('missing-field', 'must be set', "the Service's port");
  const slash = written.indexOf('/');
  const namespace = slash < 0 ? undefined : written.slice(0, slash);
  const rest = written.slice(slash + 1);
  const host = isIP(rest) === 6 ? rest : parseHostname(rest);
  const named = host !== undefined && !host.includes('*') && (namespace === undefined || isNamespaceName(namespace));
  if (written !== '' && !named)
    fields.service.error('bad-service', `"${shorten(written)}" names no Service`, 'write HOST or NAMESPACE/HOST');
  return named && at !== undefined ? { service: { namespace, host }, port: at } : undefined;
}

function path(field: Field, otherwise: string): string {
  const written = optionalText(field) ?? otherwise;
  if (!PATH.test(written)) field.error('bad-path', `"${shorten(written)}" is no path`, 'it begins with "/"');
  return written;
}

/** `headers: [{name, value}]`; values from the environment of the control plane are not read. */
function headers(field: Field): Readonly<Record<string, string>> {
  const named = itemsOf(field).flatMap((item) => {
    const fields = fieldsOf(item, ['name', 'value', 'envName']);
    const name = requiredText(fields.name);
    if (fields.envName.given) {
      fields.envName.warning('not-yet-applied', 'is not applied yet', 'write value');
      return [];
    }
    const value = text(fields.value);
    // oxlint-disable-next-line no-control-regex -- what must not be in a header
    if (!TOKEN.test(name) || /[\u0000\r\n]/.test(value)) item.error('bad-header', `"${shorten(name)}" cannot be sent`);
    return [[name, value] as const];
  });
  return Object.fromEntries(named);
}

function zipkin(field: Field): TelemetryProvider | undefined {
  const names = [
    'service',
    'port',
    'path',
    'maxTagLength',
    'enable64bitTraceId',
    'traceContextOption',
    'timeout',
    'headers',
  ] as const;
  const fields = fieldsOf(field, names);
  const target = collector(fields);
  const rest = {
    path: path(fields.path, '/api/v2/spans'),
    maxTagLength: integer(fields.maxTagLength, 0, 65_535),
    use64BitTraceId: flag(fields.enable64bitTraceId) ?? false,
    w3c: oneOf(fields.traceContextOption, ['USE_B3', 'USE_B3_WITH_W3C_PROPAGATION']) === 'USE_B3_WITH_W3C_PROPAGATION',
    timeoutMs: duration(fields.timeout, 1),
    headers: headers(fields.headers),
  };
  return target === undefined ? undefined : { kind: 'zipkin', ...target, ...rest };
}

function opentelemetry(field: Field): TelemetryProvider | undefined {
  const fields = fieldsOf(field, [
    'service',
    'port',
    'maxTagLength',
    'http',
    'grpc',
    'resourceDetectors',
    'dynatraceSampler',
    'serviceAttributeEnrichment',
  ]);
  for (const one of [fields.resourceDetectors, fields.dynatraceSampler, fields.serviceAttributeEnrichment])
    if (one.given) one.warning('not-yet-applied', 'is not applied yet', 'the rest of the provider is in effect');
  if (fields.http.given && fields.grpc.given)
    fields.grpc.error('contradiction', 'spans are sent by HTTP or by gRPC', 'remove http or grpc');
  const target = collector(fields);
  const http = fieldsOf(fields.http, ['path', 'timeout', 'headers']);
  const grpc = fieldsOf(fields.grpc, ['timeout', 'initialMetadata']);
  if (fields.http.given && !http.path.given) http.path.error('missing-field', 'must be set', 'as path: /v1/traces');
  const transport = fields.http.given
    ? {
        kind: 'http' as const,
        path: path(http.path, '/v1/traces'),
        timeoutMs: duration(http.timeout, 1),
        headers: headers(http.headers),
      }
    : { kind: 'grpc' as const, timeoutMs: duration(grpc.timeout, 1), headers: headers(grpc.initialMetadata) };
  const maxTagLength = integer(fields.maxTagLength, 0, 65_535);
  return target === undefined ? undefined : { kind: 'opentelemetry', ...target, maxTagLength, transport };
}

/** Where a log goes; empty: standard output. */
export function logPath(field: Field): string {
  const written = optionalText(field) ?? STDOUT;
  if (!PATH.test(written)) field.error('bad-path', `"${shorten(written)}" is no file`, 'write an absolute path, as /dev/stdout');
  return written;
}

function fileLog(field: Field): FileLogProvider {
  const fields = fieldsOf(field, ['path', 'logFormat', 'omitEmptyValues']);
  if (fields.omitEmptyValues.given)
    fields.omitEmptyValues.warning('not-yet-applied', 'is not applied yet', 'empty values are written as "-"');
  const format = fieldsOf(fields.logFormat, ['text', 'labels']);
  if (format.text.given && format.labels.given)
    format.labels.error('contradiction', 'a line is text or JSON', 'remove text or labels');
  return { kind: 'file-log', path: logPath(fields.path), format: textFormat(format.text) ?? jsonFormat(format.labels) };
}

/** Istio's names of logs, where none is given. */
const LOG_NAMES = Object.freeze({ http: 'http_envoy_accesslog', tcp: 'tcp_envoy_accesslog', otel: 'otel_envoy_accesslog' });

const NO_NAMES: readonly string[] = Object.freeze([]);

/** Istio's `envoyHttpAls` and `envoyTcpAls`. */
function sentLog(field: Field, protocol: 'http' | 'tcp'): SentLogProvider | undefined {
  const common = ['service', 'port', 'logName', 'filterStateObjectsToLog'] as const;
  const more = ['additionalRequestHeadersToLog', 'additionalResponseHeadersToLog', 'additionalResponseTrailersToLog'] as const;
  const fields = fieldsOf<(typeof common)[number] | (typeof more)[number]>(
    field,
    protocol === 'http' ? [...common, ...more] : common,
  );
  const target = collector(fields);
  const names = (one: (typeof more)[number]) => (protocol === 'http' ? texts(fields[one]) : NO_NAMES);
  const said = {
    logName: optionalText(fields.logName) ?? LOG_NAMES[protocol],
    filterStateObjects: texts(fields.filterStateObjectsToLog),
    requestHeaders: names('additionalRequestHeadersToLog'),
    responseHeaders: names('additionalResponseHeadersToLog'),
    responseTrailers: names('additionalResponseTrailersToLog'),
  };
  return target === undefined ? undefined : { kind: 'sent-log', protocol, ...target, ...said, text: undefined, attributes: {} };
}

/** Istio's `envoyOtelAls`. */
function otelLog(field: Field): SentLogProvider | undefined {
  const fields = fieldsOf(field, ['service', 'port', 'logName', 'logFormat']);
  const format = fieldsOf(fields.logFormat, ['text', 'labels']);
  const target = collector(fields);
  const body = textFormat(format.text);
  const said = {
    logName: optionalText(fields.logName) ?? LOG_NAMES.otel,
    text: body?.kind === 'text' ? body.text : undefined,
    attributes: textFields(format.labels),
  };
  if (target === undefined) return undefined;
  const none = { filterStateObjects: [], requestHeaders: [], responseHeaders: [], responseTrailers: [] };
  return { kind: 'sent-log', protocol: 'otel', ...target, ...none, ...said };
}

/** Reads a provider of tracing or of logs. */
export function telemetryProvider(kind: TelemetryKind, field: Field): TelemetryProvider | undefined {
  switch (kind) {
    case 'zipkin':
      return zipkin(field);
    case 'opentelemetry':
      return opentelemetry(field);
    case 'envoyFileAccessLog':
      return fileLog(field);
    case 'envoyHttpAls':
      return sentLog(field, 'http');
    case 'envoyTcpAls':
      return sentLog(field, 'tcp');
    case 'envoyOtelAls':
      return otelLog(field);
    default:
      return kind satisfies never;
  }
}
