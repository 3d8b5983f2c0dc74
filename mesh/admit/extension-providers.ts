import { isIP } from 'node:net';
import type { ExtAuthzProvider, ExtensionProvider, HeaderNames, RequestBody } from '../model/extension-provider.ts';
import { parseHostname } from '../model/hostname.ts';
import { duration } from './duration.ts';
import { entriesOf, Field, fieldsOf, itemsOf } from './field.ts';
import { isNamespaceName } from './hosts.ts';
import { shorten } from './node.ts';
import { Report } from './report.ts';
import { TELEMETRY_KINDS, type TelemetryKind, telemetryProvider } from './telemetry/provider.ts';
import { flag, integer, optionalText, port, requiredText, text } from './scalar.ts';

/** Kinds of Istio's that have no effect yet. */
const OTHERS = ['datadog', 'lightstep', 'opencensus', 'prometheus', 'sds', 'skywalking', 'stackdriver'] as const;
const KINDS = ['envoyExtAuthzHttp', 'envoyExtAuthzGrpc', ...TELEMETRY_KINDS, ...OTHERS] as const;

const COMMON = [
  'service',
  'port',
  'timeout',
  'failOpen',
  'statusOnError',
  'clearRouteCache',
  'includeRequestBodyInCheck',
] as const;
const OF_HTTP = [
  ...COMMON,
  'pathPrefix',
  'includeHeadersInCheck',
  'includeRequestHeadersInCheck',
  'includeAdditionalHeadersInCheck',
  'headersToUpstreamOnAllow',
  'headersToDownstreamOnDeny',
  'headersToDownstreamOnAllow',
] as const;

/** Istio's: in effect none, so that a DestinationRule may set the limit. */
const DEFAULT_TIMEOUT_MS = 600_000;
const LONGEST_NAME = 128;

/** Those that Envoy can answer with (envoy.type.v3.StatusCode). */
const STATUSES: ReadonlySet<number> = new Set([
  ...[100, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428],
  ...[429, 431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]);

/** What Istio refuses in MeshConfig itself; other faults it finds when policies are compiled, and denies by them. */
const NO_SERVICE = 'bad-service';

type CommonFields = Readonly<Record<(typeof COMMON)[number], Field>>;

function service(field: Field): ExtAuthzProvider['service'] | undefined {
  const written = requiredText(field, 'name the Service that authorizes, as authz.example.svc.cluster.local');
  const slash = written.indexOf('/');
  const namespace = slash < 0 ? undefined : written.slice(0, slash);
  const host = written.slice(slash + 1);
  if (written === '') return undefined;
  const named = isIP(host) === 6 ? host : parseHostname(host);
  if (named === undefined || named.includes('*') || (namespace !== undefined && !isNamespaceName(namespace))) {
    field.error(NO_SERVICE, `"${shorten(written)}" names no Service`, 'write HOST or NAMESPACE/HOST');
    return undefined;
  }
  return { namespace, host: named };
}

function statusOnError(field: Field): number | undefined {
  const { node } = field;
  const given = node?.kind === 'scalar' && typeof node.value === 'number' ? String(node.value) : optionalText(field);
  if (given === undefined) return undefined;
  const status = /^\d{3}$/.test(given) ? Number(given) : 0;
  if (STATUSES.has(status)) return status;
  field.error('unknown-value', `"${shorten(given)}" is no status that can be answered with`, 'write an HTTP status, as "403"');
  return undefined;
}

function body(field: Field): RequestBody | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['maxRequestBytes', 'allowPartialMessage', 'packAsBytes']);
  const most = integer(fields.maxRequestBytes, 1, 4_294_967_295);
  if (!fields.maxRequestBytes.given) fields.maxRequestBytes.error('missing-field', 'must be set', 'as 4096');
  return {
    maxRequestBytes: most ?? 1,
    allowPartialMessage: flag(fields.allowPartialMessage) ?? false,
    packAsBytes: flag(fields.packAsBytes) ?? false,
  };
}

const TOKEN = /^[A-Za-z0-9!#$%&'+.^_`|~-]+$/;

function headerNames(field: Field): HeaderNames {
  return itemsOf(field).flatMap((item) => {
    const written = requiredText(item);
    if (written === '' || written === '*' || TOKEN.test(written.replace(/^\*|\*$/, ''))) return written === '' ? [] : [written];
    item.error('bad-header', `"${shorten(written)}" is no header name`, 'a wildcard only first or last, as x-auth-*');
    return [];
  });
}

function additionalHeaders(field: Field): Readonly<Record<string, string>> {
  const headers: [string, string][] = [];
  for (const [name, value] of entriesOf(field)) {
    const written = text(value);
    // oxlint-disable-next-line no-control-regex -- what must not be in a header
    if (!TOKEN.test(name) || /[\u0000\r\n]/.test(written)) value.error('bad-header', `"${shorten(name)}" cannot be sent`);
    else headers.push([name, written]);
  }
  return Object.fromEntries(headers);
}

function common(name: string, fields: CommonFields) {
  const target = service(fields.service);
  const at = port(fields.port);
  if (!fields.port.given) fields.port.error('missing-field', 'must be set', "the Service's port");
  const shared = {
    name,
    timeoutMs: duration(fields.timeout, 1) ?? DEFAULT_TIMEOUT_MS,
    failOpen: flag(fields.failOpen) ?? false,
    statusOnError: statusOnError(fields.statusOnError),
    clearRouteCache: flag(fields.clearRouteCache) ?? false,
    body: body(fields.includeRequestBodyInCheck),
  };
  return target === undefined || at === undefined ? undefined : { ...shared, service: target, port: at };
}

function ofHttp(name: string, field: Field): ExtAuthzProvider | undefined {
  const fields = fieldsOf(field, OF_HTTP);
  const shared = common(name, fields);
  const pathPrefix = optionalText(fields.pathPrefix) ?? '';
  if (pathPrefix !== '' && !/^\/[\x21-\x7e]*$/.test(pathPrefix))
    fields.pathPrefix.error('bad-path', `"${shorten(pathPrefix)}" is no path`, 'it begins with "/"');
  const old = headerNames(fields.includeHeadersInCheck);
  const requestHeaders = headerNames(fields.includeRequestHeadersInCheck);
  if (fields.includeHeadersInCheck.given)
    fields.includeHeadersInCheck.warning('deprecated', 'is an old name', 'write includeRequestHeadersInCheck');
  const http = {
    pathPrefix,
    requestHeaders: requestHeaders.length > 0 ? requestHeaders : old,
    additionalHeaders: additionalHeaders(fields.includeAdditionalHeadersInCheck),
    toUpstreamOnAllow: headerNames(fields.headersToUpstreamOnAllow),
    toDownstreamOnDeny: headerNames(fields.headersToDownstreamOnDeny),
    toDownstreamOnAllow: headerNames(fields.headersToDownstreamOnAllow),
  };
  return shared === undefined ? undefined : { kind: 'ext-authz-http', ...shared, ...http };
}

function ofGrpc(name: string, field: Field): ExtAuthzProvider | undefined {
  const shared = common(name, fieldsOf(field, COMMON));
  return shared === undefined ? undefined : { kind: 'ext-authz-grpc', ...shared };
}

/**
 * Reads one that authorizes. What is wrong with it is only its own matter, save a name that is none: the rest of the mesh configuration
 * stays in effect, and the policies that name it deny.
 */
function authorizer(name: string, field: Field, read: (name: string, field: Field) => ExtAuthzProvider | undefined) {
  const own = new Report(field.report.file, field.report.object, field.report.offset);
  const provider = read(name, new Field(field.node, field.path, field.line, own));
  const wrong = own.diagnostics.find(({ severity }) => severity === 'error');
  for (const { line, field: path, code, message, hint, severity } of own.diagnostics) {
    if (code === NO_SERVICE) {
      field.report.add('error', line - own.offset, path ?? field.path, code, message, hint);
      continue;
    }
    const rest = severity === 'error' ? '; what CUSTOM policies of this provider match is denied' : '';
    field.report.add('warning', line - own.offset, path ?? field.path, code, message + rest, hint);
  }
  if (wrong === undefined && provider !== undefined) return provider;
  return { kind: 'unusable', name, why: `${wrong?.field ?? field.path}: ${wrong?.message ?? 'is wrong'}` } as const;
}

/** Reads one of tracing or of logs. What is wrong with it is its own matter too: nothing is sent to it. */
function observer(name: string, kind: TelemetryKind, field: Field): ExtensionProvider {
  const own = new Report(field.report.file, field.report.object, field.report.offset);
  const telemetry = telemetryProvider(kind, new Field(field.node, field.path, field.line, own));
  for (const { line, field: path, code, message, hint, severity } of own.diagnostics) {
    const rest = severity === 'error' ? '; nothing is sent to this provider' : '';
    const kept = code === NO_SERVICE ? severity : 'warning';
    field.report.add(kept, line - own.offset, path ?? field.path, code, message + (kept === 'error' ? '' : rest), hint);
  }
  return { kind: 'other', name, field: kind, ...(telemetry === undefined || own.failed ? {} : { telemetry }) };
}

function provider(item: Field): ExtensionProvider | undefined {
  const fields = fieldsOf(item, ['name', ...KINDS]);
  const name = requiredText(fields.name, 'policies refer to it by this name');
  // oxlint-disable-next-line no-control-regex -- what must not be in a name
  if (name.length > LONGEST_NAME || /[\u0000-\u001f\u007f]/.test(name))
    fields.name.error(
      'bad-name',
      `"${shorten(name)}" is no name for a provider`,
      `printable, ${LONGEST_NAME} characters at most`,
    );
  const [kind, ...more] = KINDS.filter((one) => fields[one].given);
  if (kind === undefined || more.length > 0) {
    item.error('contradiction', 'a provider is of exactly one kind', `give one of ${KINDS.slice(0, 4).join(', ')}, …`);
    return undefined;
  }
  switch (kind) {
    case 'envoyExtAuthzHttp':
      return authorizer(name, fields[kind], ofHttp);
    case 'envoyExtAuthzGrpc':
      return authorizer(name, fields[kind], ofGrpc);
    case 'zipkin':
    case 'opentelemetry':
    case 'envoyFileAccessLog':
    case 'envoyHttpAls':
    case 'envoyTcpAls':
    case 'envoyOtelAls':
      return observer(name, kind, fields[kind]);
    // Of Istio's metrics, which need nothing but the name; what else it says is of proxies' own statistics.
    case 'prometheus':
      return { kind: 'other', name, field: kind };
    default:
      fields[kind].warning('not-yet-applied', 'is not applied yet', 'the rest of the mesh configuration is in effect');
      return { kind: 'other', name, field: kind };
  }
}

/** MeshConfig's `extensionProviders`. */
export function extensionProviders(field: Field): readonly ExtensionProvider[] {
  const found: ExtensionProvider[] = [];
  for (const item of itemsOf(field)) {
    const one = provider(item);
    if (one === undefined) continue;
    if (found.some(({ name }) => name === one.name))
      item.error('duplicate', `there is another provider "${shorten(one.name)}"`, 'give each a name of its own');
    found.push(one);
  }
  return found;
}
