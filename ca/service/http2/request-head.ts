import type { HeaderField } from './hpack/decoder.ts';

/** What a unary gRPC call says of itself before its message. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | undefined;
  /** `grpc-encoding`. */
  readonly encoding: string | undefined;
  /** `grpc-timeout`. */
  readonly timeout: string | undefined;
  readonly contentLength: number | undefined;
  /** Each value of `authorization`. */
  readonly authorization: readonly string[];
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\0\r\n]/;
const BLANK = new Set([' ', '\t']);
/** Fields of a connection, which HTTP/2 does not have (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** No NUL, CR or LF anywhere, no space or tab at either end (RFC 9113, section 8.2.1). */
function isValue(value: string): boolean {
  return !FORBIDDEN.test(value) && !BLANK.has(value.charAt(0)) && !BLANK.has(value.charAt(value.length - 1));
}

/** Reads the fields of a request (RFC 9113, section 8.3.1). Undefined where the request is malformed. */
export function requestHead(fields: readonly HeaderField[]): RequestHead | undefined {
  let method: string | undefined;
  let path: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let contentType: string | undefined;
  let encoding: string | undefined;
  let timeout: string | undefined;
  let contentLength: number | undefined;
  const authorization: string[] = [];
  let pseudoOver = false;
  for (const { name, value } of fields) {
    if (!isValue(value)) return undefined;
    if (name.startsWith(':')) {
      if (pseudoOver) return undefined;
      if (name === ':method' && method === undefined) method = value;
      else if (name === ':path' && path === undefined) path = value;
      else if (name === ':scheme' && scheme === undefined) scheme = value;
      else if (name === ':authority' && authority === undefined) authority = value;
      else return undefined;
      continue;
    }
    pseudoOver = true;
    switch (name) {
      case 'content-type':
        contentType ??= value;
        break;
      case 'authorization':
        authorization.push(value);
        break;
      case 'grpc-timeout':
        timeout ??= value;
        break;
      case 'grpc-encoding':
        encoding ??= value;
        break;
      case 'content-length':
        if (!/^\d{1,15}$/.test(value) || (contentLength ?? Number(value)) !== Number(value)) return undefined;
        contentLength = Number(value);
        break;
      case 'te':
        if (value !== 'trailers') return undefined;
        break;
      default:
        if (!TOKEN.test(name) || CONNECTION_FIELDS.has(name)) return undefined;
    }
  }
  if (method === undefined || scheme === undefined || path === undefined || path === '') return undefined;
  return { method, path, contentType, encoding, timeout, contentLength, authorization };
}

/** Whether fields may follow a body (RFC 9113, section 8.1): no pseudo-headers among them. */
export function areTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every(({ name, value }) => TOKEN.test(name) && !CONNECTION_FIELDS.has(name) && isValue(value));
}
