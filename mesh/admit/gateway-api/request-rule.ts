import type { RequestMatch, RequestRule } from '../../model/gateway-api.ts';
import type { HeaderMatch, Retries } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { checkRegex } from '../regex.ts';
import { integer, oneOf, optionalText, requiredText, text } from '../scalar.ts';
import { filters } from './filters.ts';
import { backendRef } from './references.ts';
import { ruleSession } from './session.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
const TYPES = ['Exact', 'RegularExpression'] as const;

/** Conditions under which a request was surely not served. */
const NOT_SERVED = Object.freeze(['cancelled', 'connect-failure', 'refused-stream', 'unavailable']);

/** Headers or query parameters; of several with one name the first counts. */
function named(field: Field, lower: boolean): Readonly<Record<string, HeaderMatch>> {
  const found: Record<string, HeaderMatch> = {};
  for (const item of itemsOf(field)) {
    const fields = fieldsOf(item, ['type', 'name', 'value']);
    const type = oneOf(fields.type, TYPES) ?? 'Exact';
    const written = requiredText(fields.name, 'as name: version');
    const name = lower ? written.toLowerCase() : written;
    // Matches on claims have names of their own, which no route of this API can ask for.
    if (name.startsWith('@') || name.startsWith(':')) fields.name.error('bad-header', 'is no header name', 'as name: version');
    const value = text(fields.value);
    if (type === 'RegularExpression') checkRegex(fields.value, value);
    if (!Object.hasOwn(found, name)) found[name] = { kind: type === 'Exact' ? 'exact' : 'regex', value };
  }
  return found;
}

function httpMatch(item: Field): RequestMatch {
  const fields = fieldsOf(item, ['path', 'headers', 'queryParams', 'method']);
  const path = fieldsOf(fields.path, ['type', 'value']);
  const type = oneOf(path.type, ['Exact', 'PathPrefix', 'RegularExpression']) ?? 'PathPrefix';
  const value = optionalText(path.value) ?? '/';
  if (type === 'RegularExpression') checkRegex(path.value, value);
  else if (!value.startsWith('/')) path.value.error('bad-path', 'a path begins with "/"', `as value: /${value}`);
  return {
    uri:
      type === 'Exact'
        ? { kind: 'exact', value }
        : type === 'RegularExpression'
          ? { kind: 'regex', value }
          : { kind: 'prefix', value: value === '/' ? '/' : value.replace(/\/+$/, ''), segments: value !== '/' },
    method: oneOf(fields.method, METHODS),
    headers: named(fields.headers, true),
    queryParams: named(fields.queryParams, false),
  };
}

const quoted = (literal: string) => literal.replaceAll(/[.+*?^${}()|[\]\\]/g, String.raw`\$&`);

/** A gRPC method is the path `/service/method` (gRPC over HTTP/2). */
function grpcMatch(item: Field): RequestMatch {
  const fields = fieldsOf(item, ['method', 'headers']);
  const method = fieldsOf(fields.method, ['type', 'service', 'method']);
  const regex = oneOf(method.type, TYPES) === 'RegularExpression';
  const [service, name] = [optionalText(method.service), optionalText(method.method)];
  if (regex) for (const one of [method.service, method.method]) checkRegex(one, text(one));
  const part = (written: string | undefined) => (written === undefined ? '[^/]+' : regex ? `(?:${written})` : quoted(written));
  const uri: RequestMatch['uri'] =
    service === undefined && name === undefined
      ? undefined
      : regex || service === undefined
        ? { kind: 'regex', value: `/${part(service)}/${part(name)}` }
        : name === undefined
          ? { kind: 'prefix', value: `/${service}/` }
          : { kind: 'exact', value: `/${service}/${name}` };
  return { uri, method: undefined, headers: named(fields.headers, true), queryParams: {} };
}

const ANY: RequestMatch = Object.freeze({ uri: undefined, method: undefined, headers: {}, queryParams: {} });

function retries(field: Field): Retries | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['codes', 'attempts', 'backoff']);
  const codes = itemsOf(fields.codes).flatMap((code) => integer(code, 400, 599) ?? []);
  return {
    attempts: integer(fields.attempts, 0, 1000) ?? 1,
    perTryTimeoutMs: undefined,
    retryOn: codes.length === 0 ? NOT_SERVED : [...NOT_SERVED, ...codes.map(String)],
    retryRemoteLocalities: false,
    ignorePreviousHosts: undefined,
    backoffMs: duration(fields.backoff, 1),
  };
}

export function requestRule(item: Field, context: Context, kind: 'HTTPRoute' | 'GRPCRoute'): RequestRule {
  const fields = fieldsOf(item, ['name', 'matches', 'filters', 'backendRefs', 'timeouts', 'retry', 'sessionPersistence']);
  const timeouts = fieldsOf(fields.timeouts, ['request', 'backendRequest']);
  const session = ruleSession(fields.sessionPersistence);
  const matches = itemsOf(fields.matches).map((one) => (kind === 'HTTPRoute' ? httpMatch(one) : grpcMatch(one)));
  return {
    name: optionalText(fields.name),
    matches: matches.length === 0 ? [ANY] : matches,
    filters: filters(fields.filters, context),
    backends: itemsOf(fields.backendRefs).map((one) => backendRef(one, context, (field) => filters(field, context))),
    requestTimeoutMs: duration(timeouts.request, 0),
    backendTimeoutMs: duration(timeouts.backendRequest, 0),
    retries: retries(fields.retry),
    ...(session === undefined ? {} : { session }),
  };
}
