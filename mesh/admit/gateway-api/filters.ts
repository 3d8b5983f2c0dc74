import type { PathModifier, RouteFilter } from '../../model/gateway-api.ts';
import type { Cors, HeaderOperations, StringMatch } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { flag, integer, oneOf, optionalText, port, real, requiredText, text, texts } from '../scalar.ts';
import { backendRef, noFilters } from './references.ts';

const TYPES = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'RequestMirror',
  'CORS',
  'ExtensionRef',
  'ExternalAuth',
] as const;
const HEADER_NAME = /^[-_.~!#$%&'*+^`|A-Za-z0-9]+$/;
const CODES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function filters(field: Field, context: Context): readonly RouteFilter[] {
  return itemsOf(field).flatMap((item) => filter(item, context) ?? []);
}

function filter(item: Field, context: Context): RouteFilter | undefined {
  const fields = fieldsOf(item, [
    'type',
    'requestHeaderModifier',
    'responseHeaderModifier',
    'requestRedirect',
    'urlRewrite',
    'requestMirror',
    'cors',
    'extensionRef',
    'externalAuth',
  ]);
  const type = oneOf(fields.type, TYPES);
  switch (type) {
    case undefined:
      requiredText(fields.type, 'as type: RequestHeaderModifier');
      return undefined;
    case 'RequestHeaderModifier':
      return { kind: 'request-headers', operations: operations(fields.requestHeaderModifier) };
    case 'ResponseHeaderModifier':
      return { kind: 'response-headers', operations: operations(fields.responseHeaderModifier) };
    case 'RequestRedirect':
      return redirect(fields.requestRedirect);
    case 'URLRewrite': {
      const { hostname, path } = fieldsOf(fields.urlRewrite, ['hostname', 'path']);
      return { kind: 'rewrite', host: optionalText(hostname), path: pathModifier(path) };
    }
    case 'RequestMirror':
      return mirror(fields.requestMirror, context);
    case 'CORS':
      return { kind: 'cors', cors: cors(fields.cors) };
    case 'ExtensionRef':
    case 'ExternalAuth':
      item.warning(
        'not-supported',
        `filters of type ${type} are not supported: requests of this rule are answered with 500`,
        'use an AuthorizationPolicy or RateLimit, or remove it',
      );
      return { kind: 'unavailable' };
    default:
      return type satisfies never;
  }
}

function headers(field: Field): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const item of itemsOf(field)) {
    const fields = fieldsOf(item, ['name', 'value']);
    const name = requiredText(fields.name, 'as name: x-my-header').toLowerCase();
    if (name !== '' && !HEADER_NAME.test(name)) fields.name.error('bad-header', `"${shorten(name)}" is no header name`);
    if (!Object.hasOwn(found, name)) found[name] = text(fields.value);
  }
  return found;
}

function operations(field: Field): HeaderOperations {
  const fields = fieldsOf(field, ['set', 'add', 'remove']);
  return { set: headers(fields.set), add: headers(fields.add), remove: texts(fields.remove).map((name) => name.toLowerCase()) };
}

function pathModifier(field: Field): PathModifier | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['type', 'replaceFullPath', 'replacePrefixMatch']);
  const type = oneOf(fields.type, ['ReplaceFullPath', 'ReplacePrefixMatch']);
  if (type === 'ReplaceFullPath') return { kind: 'full', value: text(fields.replaceFullPath) };
  return { kind: 'prefix', value: text(fields.replacePrefixMatch) };
}

function redirect(field: Field): RouteFilter {
  const fields = fieldsOf(field, ['scheme', 'hostname', 'path', 'port', 'statusCode']);
  const code = integer(fields.statusCode, 300, 399) ?? 302;
  if (!CODES.has(code)) fields.statusCode.error('unknown-value', `${code} is no redirect`, 'use 301, 302, 303, 307 or 308');
  return {
    kind: 'redirect',
    scheme: oneOf(fields.scheme, ['http', 'https']),
    host: optionalText(fields.hostname),
    port: port(fields.port),
    code,
    path: pathModifier(fields.path),
  };
}

function mirror(field: Field, context: Context): RouteFilter {
  const fields = fieldsOf(field, ['backendRef', 'percent', 'fraction']);
  const fraction = fieldsOf(fields.fraction, ['numerator', 'denominator']);
  const denominator = integer(fraction.denominator, 1, 2_147_483_647) ?? 100;
  const part = (integer(fraction.numerator, 0, 2_147_483_647) ?? 0) / denominator;
  if (part > 1) fields.fraction.error('out-of-range', 'the fraction is more than one', 'at most as numerator: 1, denominator: 1');
  const percent = real(fields.percent, 0, 100);
  return {
    kind: 'mirror',
    backend: backendRef(fields.backendRef, context, noFilters),
    percentage: percent ?? (fields.fraction.given ? part * 100 : 100),
  };
}

/** `https://*.example.com`: a wildcard stands for anything. */
function origin(written: string): StringMatch {
  if (written === '*' || !written.includes('*')) return { kind: 'exact', value: written };
  return { kind: 'regex', value: written.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*') };
}

const WHOLE_DAYS = 86_400;

function cors(field: Field): Cors {
  const fields = fieldsOf(field, ['allowOrigins', 'allowCredentials', 'allowMethods', 'allowHeaders', 'exposeHeaders', 'maxAge']);
  return {
    allowOrigins: texts(fields.allowOrigins).map(origin),
    allowCredentials: flag(fields.allowCredentials),
    allowMethods: texts(fields.allowMethods),
    allowHeaders: texts(fields.allowHeaders),
    exposeHeaders: texts(fields.exposeHeaders),
    maxAgeMs: (integer(fields.maxAge, 1, WHOLE_DAYS * 3650) ?? 5) * 1000,
    forwardUnmatched: false,
  };
}
