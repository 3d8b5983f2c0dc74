import { parseHostname } from '../../model/hostname.ts';
import { parsePort } from '../../model/port.ts';
import type { LogFormat, MeshTelemetry } from '../../model/telemetry.ts';
import { Field, fieldsOf } from '../field.ts';
import { nodeOf, shorten } from '../node.ts';
import { flag, integer, oneOf, optionalText, real, texts } from '../scalar.ts';
import { jsonFormat, textFormat } from './log-format.ts';
import { logPath } from './provider.ts';
import { customTags } from './tags.ts';

/** MeshConfig's fields about telemetry. */
export const TELEMETRY_FIELDS = [
  'enableTracing',
  'defaultProviders',
  'accessLogFile',
  'accessLogFormat',
  'accessLogEncoding',
] as const;

type Fields = Readonly<Record<(typeof TELEMETRY_FIELDS)[number] | 'defaultConfig', Field>>;

const TRACERS = ['zipkin', 'lightstep', 'datadog', 'stackdriver', 'openCensusAgent'] as const;

/** What MeshConfig says of telemetry; undefined when it says nothing. */
export function meshTelemetry(fields: Fields): MeshTelemetry | undefined {
  const config = fieldsOf(fields.defaultConfig, ['tracing'], 'tolerant');
  if (!config.tracing.given && !TELEMETRY_FIELDS.some((name) => fields[name].given)) return undefined;
  const tracing = fieldsOf(config.tracing, [
    ...TRACERS,
    'sampling',
    'customTags',
    'maxPathTagLength',
    'tlsSettings',
    'enableIstioTags',
  ]);
  for (const name of [...TRACERS.slice(1), 'tlsSettings', 'enableIstioTags'] as const)
    if (tracing[name].given) tracing[name].warning('not-yet-applied', 'is not applied yet', 'name a provider of tracing');
  const providers = fieldsOf(fields.defaultProviders, ['tracing', 'accessLogging', 'metrics']);
  return {
    enableTracing: flag(fields.enableTracing) ?? false,
    zipkinAddress: address(fieldsOf(tracing.zipkin, ['address']).address),
    sampling: real(tracing.sampling, 0, 100),
    customTags: customTags(tracing.customTags),
    maxPathTagLength: integer(tracing.maxPathTagLength, 0, 65_535),
    defaultTracing: texts(providers.tracing),
    defaultAccessLogging: texts(providers.accessLogging),
    defaultMetrics: providers.metrics.given ? texts(providers.metrics) : undefined,
    accessLog: accessLog(fields),
  };
}

function address(field: Field): MeshTelemetry['zipkinAddress'] {
  const written = optionalText(field);
  if (written === undefined) return undefined;
  const colon = written.lastIndexOf(':');
  const host = parseHostname(written.slice(0, Math.max(colon, 0)));
  const port = /^\d{1,5}$/.test(written.slice(colon + 1)) ? parsePort(Number(written.slice(colon + 1))) : undefined;
  if (host !== undefined && port !== undefined && !host.includes('*')) return { host, port };
  field.error('bad-address', `"${shorten(written)}" is no HOST:PORT`, 'as zipkin.istio-system:9411');
  return undefined;
}

/** `accessLogFormat` is text, or with the encoding JSON the text of a JSON object. */
function accessLog(fields: Fields): MeshTelemetry['accessLog'] {
  const json = oneOf(fields.accessLogEncoding, ['TEXT', 'JSON']) === 'JSON';
  const format = json ? jsonText(fields.accessLogFormat) : textFormat(fields.accessLogFormat);
  if (optionalText(fields.accessLogFile) === undefined) return undefined;
  const path = logPath(fields.accessLogFile);
  return { kind: 'file-log', path, format: format ?? (json ? { kind: 'json', fields: {} } : undefined) };
}

function jsonText(field: Field): LogFormat | undefined {
  const written = optionalText(field);
  if (written === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(written);
    return jsonFormat(new Field(nodeOf(parsed, field.line), field.path, field.line, field.report));
  } catch {
    field.error('bad-format', 'is no JSON', 'with accessLogEncoding: JSON, as {"code": "%RESPONSE_CODE%"}');
    return undefined;
  }
}
