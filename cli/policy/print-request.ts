import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { Request } from '../../policy/evaluate/request.ts';

/** A request in one line for people: `GET http://users/users/7 as cluster.local/ns/shop/sa/mobile`. */
export function requestLine({ source, destination, http, token, extAuthz }: Request): string {
  const what =
    destination.protocol === 'TCP'
      ? `TCP connection to port ${destination.port ?? '?'}`
      : `${http.method ?? '?'} ${http.host === undefined ? '' : `http://${http.host}`}${http.path ?? '?'}`;
  const headers = [...http.headers].flatMap(([name, lines]) => lines.map((line) => `${name}: ${line}`));
  const claims = Object.entries(token?.claims ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
  const parts = [
    source.principal === undefined ? 'in plain text' : `as ${withoutScheme(source.principal)}`,
    ...(headers.length === 0 ? [] : [`with ${headers.join(', ')}`]),
    ...(token === undefined ? [] : [`with a token of ${claims.join(' ')}`]),
    ...(source.remoteIp === undefined || source.remoteIp === source.ip ? [] : [`for ${source.remoteIp}`]),
    ...(destination.sni === undefined ? [] : [`SNI ${destination.sni}`]),
    ...[...(extAuthz ?? [])].map(([name, answer]) => `${name} says ${answer}`),
  ];
  return `${what} ${parts.join(', ')}`;
}
