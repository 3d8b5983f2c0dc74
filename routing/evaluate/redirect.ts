import type { HttpMatch, Redirect } from '../../mesh/model/virtual-service.ts';
import { pathOnly, queryOf } from './parts.ts';
import type { RouteRequest } from './question.ts';
import { replacedAll } from './rewrite.ts';

const PREFIX = '%PREFIX()%';

/** The port that the client wrote goes with another port, and with a scheme for which it is not the default. */
function requestHost({ host, scheme }: RouteRequest, newScheme: string, newPort: boolean): string {
  const colon = host.startsWith('[') ? host.lastIndexOf(']:') + 1 : host.lastIndexOf(':');
  if (colon <= 0) return host;
  const port = host.slice(colon);
  const left = newScheme !== scheme && port === (scheme === 'https' ? ':443' : ':80');
  return newPort || left ? host.slice(0, colon) : host;
}

function newPath(redirect: Redirect, match: HttpMatch | undefined, path: string): string {
  if (redirect.uriRegex !== undefined)
    return replacedAll(redirect.uriRegex.match, redirect.uriRegex.rewrite, pathOnly(path)) + queryOf(path);
  const prefix = redirect.prefix ?? (redirect.uri?.startsWith(PREFIX) === true ? redirect.uri.slice(PREFIX.length) : undefined);
  if (prefix !== undefined) {
    const { uri } = match ?? { uri: undefined };
    const own = pathOnly(path);
    return (uri === undefined || uri.kind === 'prefix' ? prefix + own.slice((uri?.value ?? '/').length) : prefix) + queryOf(path);
  }
  if (redirect.uri === undefined) return path;
  return redirect.uri.includes('?') ? redirect.uri : redirect.uri + queryOf(path);
}

/** Where a client is sent. @param port the one on which the request came */
export function location(redirect: Redirect, match: HttpMatch | undefined, request: RouteRequest, port: number): string {
  const scheme = redirect.scheme ?? request.scheme;
  const wanted = redirect.port === 'request' ? port : redirect.port;
  const host = redirect.authority ?? requestHost(request, scheme, wanted !== undefined);
  return `${scheme}://${host}${wanted === undefined ? '' : `:${wanted}`}${newPath(redirect, match, request.path)}`;
}
