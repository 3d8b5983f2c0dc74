import type { RuleSession } from '../../model/gateway-api.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { oneOf, optionalText } from '../scalar.ts';

/** A token (RFC 9110, section 5.6.2), as names of cookies and headers are. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

function warnUnkept(field: Field, what: string): void {
  if (field.given)
    field.warning('not-yet-applied', `${what} has no effect: the proxy keeps no sessions, the client does`, 'remove it');
}

/** `sessionPersistence` of a rule (Gateway API, GEP-1619). */
export function ruleSession(field: Field): RuleSession | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['sessionName', 'absoluteTimeout', 'idleTimeout', 'type', 'cookieConfig']);
  const name = optionalText(fields.sessionName);
  if (name !== undefined && !TOKEN.test(name))
    fields.sessionName.error('bad-name', 'is no name of a cookie or header', 'up to 128 letters, digits, "-" and "_"');
  const absolute = duration(fields.absoluteTimeout, 1);
  warnUnkept(fields.idleTimeout, 'idleTimeout');
  const cookie = fieldsOf(fields.cookieConfig, ['lifetimeType']);
  if ((oneOf(fields.type, ['Cookie', 'Header']) ?? 'Cookie') === 'Header') {
    if (fields.cookieConfig.given)
      fields.cookieConfig.error('contradiction', 'is for sessions of type Cookie', 'remove it, or use type: Cookie');
    warnUnkept(fields.absoluteTimeout, 'absoluteTimeout of a header');
    return { kind: 'header', name };
  }
  if ((oneOf(cookie.lifetimeType, ['Permanent', 'Session']) ?? 'Session') === 'Session') {
    warnUnkept(fields.absoluteTimeout, "absoluteTimeout of a cookie that lasts as long as the client's session");
    return { kind: 'cookie', name, ttlMs: undefined };
  }
  if (!fields.absoluteTimeout.given)
    field.error('missing-field', 'a Permanent cookie needs an absoluteTimeout', 'as absoluteTimeout: 1h');
  return { kind: 'cookie', name, ttlMs: absolute };
}
