import { isUtf8 } from 'node:buffer';
import type { Redirect, RouteAction } from '../../model/virtual-service.ts';
import { type Field, fieldsOf } from '../field.ts';
import { integer, oneOf, optionalText, port, text } from '../scalar.ts';

export function redirect(field: Field): Redirect {
  const fields = fieldsOf(field, ['uri', 'authority', 'port', 'derivePort', 'scheme', 'redirectCode', 'prefixRewrite']);
  const uri = optionalText(fields.uri);
  const authority = optionalText(fields.authority);
  const scheme = optionalText(fields.scheme);
  const prefix = optionalText(fields.prefixRewrite);
  if (uri !== undefined && prefix !== undefined) field.error('contradiction', 'uri and prefixRewrite are both given', 'keep one');
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    fields.scheme.error('unknown-value', 'must be http or https');
  const derived = oneOf(fields.derivePort, ['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']);
  if (fields.port.given && fields.derivePort.given)
    field.error('contradiction', 'port and derivePort are both given', 'keep one');
  const number = port(fields.port);
  if (
    uri === undefined &&
    authority === undefined &&
    scheme === undefined &&
    prefix === undefined &&
    !fields.port.given &&
    !fields.derivePort.given
  ) {
    field.error('missing-field', 'a redirect must change something', 'give uri, authority, scheme or port');
  }
  const code = integer(fields.redirectCode, 300, 399) ?? 301;
  return { uri, prefix, authority, scheme, port: derived === 'FROM_REQUEST_PORT' ? 'request' : number, code };
}

/** Envoy answers itself. */
export function directResponse(field: Field): RouteAction {
  const fields = fieldsOf(field, ['status', 'body']);
  if (!fields.status.given) field.error('missing-field', 'status must be given', 'as status: 503');
  const status = integer(fields.status, 200, 599) ?? 503;
  const body = fieldsOf(fields.body, ['string', 'bytes']);
  if (body.string.given && body.bytes.given) fields.body.error('contradiction', 'string and bytes are both given', 'keep one');
  if (fields.body.given && !body.string.given && !body.bytes.given)
    fields.body.error('missing-field', 'the body is empty', 'give string or bytes, or remove it');
  const encoded = text(body.bytes);
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(encoded)) body.bytes.error('wrong-type', 'is no base64', 'use string for text');
  const bytes = Buffer.from(encoded, 'base64');
  const content = body.bytes.given ? bytes.toString('utf8') : text(body.string);
  const size = Buffer.byteLength(content);
  if (size > 1_048_576) fields.body.error('out-of-range', `the body has ${size} bytes`, 'it may have 1 MiB');
  else if (size > 102_400)
    fields.body.warning('large-body', `the body has ${size} bytes and is sent to every proxy`, 'serve it from a workload');
  const binary = body.bytes.given && !isUtf8(bytes) ? { base64: bytes.toString('base64') } : {};
  return { kind: 'direct-response', status, body: fields.body.given ? content : undefined, ...binary };
}
