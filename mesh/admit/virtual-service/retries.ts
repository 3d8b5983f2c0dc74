import type { Cors, Retries } from '../../model/virtual-service.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { flag, integer, oneOf, text, texts } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';
import { stringMatch } from './string-match.ts';

/** Envoy's retry conditions, HTTP and gRPC; a bare status code is one too. */
const CONDITIONS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** `attempts: 0` switches retries off. */
export function retries(field: Field): Retries | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'attempts',
    'perTryTimeout',
    'retryOn',
    'retryRemoteLocalities',
    'retryIgnorePreviousHosts',
    'backoff',
  ]);
  const attempts = integer(fields.attempts, 0, 2_147_483_647) ?? 0;
  const perTryTimeoutMs = duration(fields.perTryTimeout, 1);
  const conditions = text(fields.retryOn)
    .split(',')
    .map((condition) => condition.trim())
    .filter((condition) => condition !== '');
  for (const condition of conditions) {
    const status = Number(condition);
    if (!CONDITIONS.has(condition) && !(Number.isInteger(status) && status >= 100 && status <= 599)) {
      fields.retryOn.error(
        'unknown-value',
        `"${shorten(condition)}" is no retry condition`,
        'as 5xx,connect-failure,refused-stream, or status codes',
      );
    }
  }
  if (attempts === 0 && (fields.perTryTimeout.given || fields.retryOn.given || fields.retryRemoteLocalities.given)) {
    field.error('contradiction', 'retries are described but attempts is 0', 'give attempts, as attempts: 3');
  }
  return {
    attempts,
    perTryTimeoutMs,
    retryOn: conditions,
    retryRemoteLocalities: flag(fields.retryRemoteLocalities) ?? false,
    ignorePreviousHosts: flag(fields.retryIgnorePreviousHosts),
    backoffMs: duration(fields.backoff, 1),
  };
}

export function cors(field: Field): Cors | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'allowOrigins',
    'allowOrigin',
    'allowMethods',
    'allowHeaders',
    'exposeHeaders',
    'maxAge',
    'allowCredentials',
    'unmatchedPreflights',
  ]);
  oldForm(fields.allowOrigin, 'allowOrigins: [{exact: "https://example.com"}]');
  const origins = itemsOf(fields.allowOrigins).flatMap((item) => {
    const match = item.given ? stringMatch(item) : undefined;
    if (item.given && (match === undefined || match.value === ''))
      item.error('missing-field', 'an origin needs exact, prefix or regex', 'as exact: "https://example.com"');
    return match === undefined ? [] : [match];
  });
  const old = texts(fields.allowOrigin).map((value) =>
    value === '*' ? ({ kind: 'regex', value: '.*' } as const) : ({ kind: 'exact', value } as const),
  );
  const methods = itemsOf(fields.allowMethods).map((item) => oneOf(item, METHODS) ?? 'GET');
  for (const list of [fields.allowHeaders, fields.exposeHeaders]) {
    for (const item of itemsOf(list)) {
      if (item.given && !/^[-_A-Za-z0-9*]+$/.test(text(item)))
        item.error('bad-header', 'is no header name', 'letters, digits, "-" and "_"');
    }
  }
  const maxAgeMs = duration(fields.maxAge, 0);
  if (maxAgeMs !== undefined && maxAgeMs % 1000 !== 0)
    fields.maxAge.error('out-of-range', 'must be whole seconds', 'as maxAge: 24h');
  const unmatched = oneOf(fields.unmatchedPreflights, ['UNSPECIFIED', 'FORWARD', 'IGNORE']);
  return {
    allowOrigins: [...origins, ...old],
    allowMethods: methods,
    allowHeaders: texts(fields.allowHeaders),
    exposeHeaders: texts(fields.exposeHeaders),
    maxAgeMs,
    allowCredentials: flag(fields.allowCredentials),
    forwardUnmatched: unmatched === undefined || unmatched === 'UNSPECIFIED' ? undefined : unmatched === 'FORWARD',
  };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*'] as const;
