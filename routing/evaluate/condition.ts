import { selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { HeaderMatch, HttpMatch, StringMatch } from '../../mesh/model/virtual-service.ts';
import { claimIn, claimNamed } from './claims.ts';
import { parameter, pathOnly } from './parts.ts';
import type { Asker, RouteRequest } from './question.ts';
import { asksPresence, headerHolds, holds, written } from './text.ts';

/** Where a request is looked at. */
export interface Site {
  readonly asker: Asker;
  readonly port: Port;
  /** `mesh`, or the Gateway through whose server it came. */
  readonly gateway: string;
}

function uriHolds(uri: StringMatch, path: string, ignoreCase: boolean): boolean {
  // Case counts in expressions whatever ignoreUriCase says: there is (?i) for them.
  if (!ignoreCase || uri.kind === 'regex') return holds(uri, path);
  return holds({ ...uri, value: uri.value.toLowerCase() }, path.toLowerCase());
}

function headerValue(request: RouteRequest, name: string): string | undefined {
  switch (name.toLowerCase()) {
    case ':method':
      return request.method;
    case ':authority':
    case 'host':
      return request.host;
    case ':scheme':
      return request.scheme;
    case ':path':
      return request.path;
    default:
      return request.headers.get(name.toLowerCase())?.join(',');
  }
}

/** Of who asks, and where: what does not hold for any of its requests. */
function siteFails(match: HttpMatch, { asker, port, gateway }: Site): string | undefined {
  if (match.port !== undefined && match.port !== port) return `port: wants ${match.port}, the request goes to ${port}`;
  if (match.gateways.length > 0 && !match.gateways.includes(gateway))
    return `gateways: wants ${match.gateways.join(' or ')}, the request comes by ${gateway}`;
  if (!selects(match.sourceLabels, asker.instance.labels)) {
    const missing = Object.entries(match.sourceLabels).find(([name, value]) => asker.instance.labels[name] !== value);
    const [name, value] = missing ?? ['', ''];
    return `sourceLabels: wants ${name}=${value}, the caller has ${asker.instance.labels[name] ?? 'none'}`;
  }
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== asker.workload.namespace)
    return `sourceNamespace: wants ${match.sourceNamespace}, the caller is in ${asker.workload.namespace}`;
  return undefined;
}

function claimFails(name: string, match: HeaderMatch, without: boolean, site: Site, request: RouteRequest): string | undefined {
  const path = claimNamed(name);
  if (path === undefined) return `${name}: is no path of claims`;
  if (site.asker.kind !== 'gateway') return `${name}: only gateways look at claims`;
  const found = claimIn(request.claims, path, match);
  if (found !== without) return undefined;
  return `${name}: ${without ? 'must not be' : 'wants'} ${written(match)}`;
}

const shown = (text: string | undefined): string => (text === undefined ? 'there is none' : `it is ${JSON.stringify(text)}`);

function headersFail(match: HttpMatch, site: Site, request: RouteRequest): string | undefined {
  for (const [name, wanted] of Object.entries(match.headers)) {
    if (name.startsWith('@request.auth.')) {
      const why = claimFails(name, wanted, false, site, request);
      if (why !== undefined) return `headers ${why}`;
    } else if (!headerHolds(wanted, headerValue(request, name)))
      return `headers ${name}: wants ${written(wanted)}, ${shown(headerValue(request, name))}`;
  }
  for (const [name, unwanted] of Object.entries(match.withoutHeaders)) {
    if (name.startsWith('@request.auth.')) {
      const why = claimFails(name, unwanted, true, site, request);
      if (why !== undefined) return `withoutHeaders ${why}`;
      continue;
    }
    const value = headerValue(request, name);
    // A header that is not there is an empty one, except where only its presence is asked for.
    if (headerHolds(unwanted, asksPresence(unwanted) ? value : (value ?? '')))
      return `withoutHeaders ${name}: must not be ${written(unwanted)}, ${shown(value)}`;
  }
  return undefined;
}

/** The first condition of a match that does not hold; undefined: all do. */
export function failing(match: HttpMatch, site: Site, request: RouteRequest): string | undefined {
  const bySite = siteFails(match, site);
  if (bySite !== undefined) return bySite;
  const path = pathOnly(request.path);
  if (match.uri !== undefined && !uriHolds(match.uri, path, match.ignoreUriCase))
    return `uri: wants ${written(match.uri)}${match.ignoreUriCase ? ' in any case' : ''}, it is ${JSON.stringify(path)}`;
  for (const [name, wanted, value] of [
    ['method', match.method, request.method],
    ['scheme', match.scheme, request.scheme],
    ['authority', match.authority, request.host],
  ] as const) {
    if (wanted !== undefined && !holds(wanted, value)) return `${name}: wants ${written(wanted)}, it is ${JSON.stringify(value)}`;
  }
  const byHeaders = headersFail(match, site, request);
  if (byHeaders !== undefined) return byHeaders;
  for (const [name, wanted] of Object.entries(match.queryParams)) {
    const value = parameter(request.path, name);
    if (!headerHolds(wanted, value)) return `queryParams ${name}: wants ${written(wanted)}, ${shown(value)}`;
  }
  return undefined;
}

/** True when every request that comes here at all is taken: what follows such a route is never reached. */
export function takesAll(match: HttpMatch): boolean {
  const names = [match.headers, match.withoutHeaders, match.queryParams].flatMap(Object.keys);
  const { uri } = match;
  const anyPath =
    uri === undefined || (uri.kind === 'prefix' && uri.value === '/') || (uri.kind === 'regex' && uri.value === '.*');
  return (
    anyPath && names.length === 0 && match.method === undefined && match.scheme === undefined && match.authority === undefined
  );
}
