import type { TokenHeader } from '../../model/request-authentication.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText, text, texts } from '../scalar.ts';

/** A token of RFC 9110, section 5.6.2: what Envoy takes as a header's name. It refuses the whole filter for another. */
const TOKEN = /^[-!#$%&'*+.^_`|~A-Za-z0-9]+$/;

/** What Istio lets a header be called that a proxy writes. */
const WRITTEN = /^[-_A-Za-z0-9]+$/;

/** Headers that frame or route a message; what a token says must not. */
const PROTOCOL: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade']);

function hasControl(value: string): boolean {
  return /[\p{Cc}]/u.test(value);
}

/** The name of a header that the proxy writes for the application. */
export function outputHeader(field: Field): string {
  const name = requiredText(field, 'as header: x-jwt-claim-sub');
  if (name === '') return name;
  if (!WRITTEN.test(name)) field.error('bad-header', `"${shorten(name)}" is no header name`, 'letters, digits, "-" and "_"');
  else if (PROTOCOL.has(name.toLowerCase()))
    field.error('bad-header', `${name} belongs to the protocol`, 'choose a name of your own, as x-jwt-payload');
  return name;
}

/** `fromHeaders`. */
export function tokenHeaders(field: Field): readonly TokenHeader[] {
  return itemsOf(field).map((item) => {
    const fields = fieldsOf(item, ['name', 'prefix']);
    if (!item.given) return { name: '', prefix: '' };
    const name = requiredText(fields.name, 'as name: x-jwt-token');
    if (name !== '' && !TOKEN.test(name))
      fields.name.error('bad-header', `"${shorten(name)}" is no header name`, 'as x-jwt-token');
    const prefix = text(fields.prefix);
    if (hasControl(prefix)) fields.prefix.error('bad-header', 'the prefix holds a control character', 'as prefix: "Bearer "');
    return { name, prefix };
  });
}

/** `fromParams`. */
export function tokenParams(field: Field): readonly string[] {
  return texts(field);
}

/** `fromCookies`. */
export function tokenCookies(field: Field): readonly string[] {
  return itemsOf(field).map((item) => {
    if (!item.given) return '';
    const name = requiredText(item, 'remove the empty item');
    if (name !== '' && !TOKEN.test(name)) item.error('bad-header', `"${shorten(name)}" is no cookie name`, 'as jwt');
    return name;
  });
}
