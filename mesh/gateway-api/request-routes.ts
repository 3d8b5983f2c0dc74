import type { PathModifier, RequestMatch, RequestRoute, RequestRule, RouteFilter } from '../model/gateway-api.ts';
import type { GatewayName, HeaderOperations, Headers, HttpRoute, Rewrite, RouteAction } from '../model/virtual-service.ts';
import { parsePort, type Port } from '../model/port.ts';
import { NOBODY, resolvedBackend } from './backends.ts';
import { sessionOf } from './session.ts';
import { older, type World } from './world.ts';

/** One match of one rule, to be sorted among those of all routes of a host. */
export interface Ranked {
  readonly route: RequestRoute;
  readonly at: number;
  readonly match: RequestMatch;
  readonly http: HttpRoute;
}

const quoted = (literal: string) => literal.replaceAll(/[.+*?^${}()|[\]\\]/g, String.raw`\$&`);
const substitution = (text: string) => text.replaceAll('\\', String.raw`\\`);

/** A path modifier as a regular expression: prefixes are replaced by whole segments, and a path never loses its first slash. */
function pathEdit(path: PathModifier | undefined, match: RequestMatch): Rewrite['uriRegex'] {
  if (path === undefined) return undefined;
  if (path.kind === 'full') return { match: '^/.*$', rewrite: substitution(path.value === '' ? '/' : path.value) };
  const prefix = match.uri === undefined || match.uri.kind !== 'prefix' ? '' : match.uri.value.replace(/\/+$/, '');
  const value = substitution(path.value.replace(/\/+$/, ''));
  if (value === '') return { match: `^${quoted(prefix)}/*`, rewrite: '/' };
  return prefix === '' ? { match: '^/', rewrite: `${value}/` } : { match: `^${quoted(prefix)}`, rewrite: value };
}

const NOTHING: HeaderOperations = Object.freeze({ set: {}, add: {}, remove: [] });

function headersOf(filters: readonly RouteFilter[]): Headers | undefined {
  const of = (kind: 'request-headers' | 'response-headers'): HeaderOperations =>
    filters.reduce<HeaderOperations>(
      (before, filter) =>
        filter.kind === kind
          ? {
              set: { ...before.set, ...filter.operations.set },
              add: { ...before.add, ...filter.operations.add },
              remove: [...before.remove, ...filter.operations.remove],
            }
          : before,
      NOTHING,
    );
  const hostRewrite = filters.find((filter) => filter.kind === 'rewrite')?.host;
  const request = of('request-headers');
  const response = of('response-headers');
  const edited = hostRewrite === undefined ? request : { ...request, set: { ...request.set, ':authority': hostRewrite } };
  return edited === NOTHING && response === NOTHING ? undefined : { request: edited, response };
}

const WELL_KNOWN = Object.freeze({ http: 80, https: 443 });

/** The port of a redirect: the one given, else that of a scheme given, else the listener's. One that goes without saying is left out. */
function redirectPort(redirect: Extract<RouteFilter, { kind: 'redirect' }>, site: Site): Port | undefined {
  const scheme = redirect.scheme === 'http' || redirect.scheme === 'https' ? redirect.scheme : site.scheme;
  const usual = parsePort(WELL_KNOWN[scheme]);
  const wanted = redirect.port ?? (redirect.scheme === undefined ? site.listenPort : usual);
  // Clients of such a listener name no port, so there is none to take out of the host.
  const unnamed = site.listenPort === undefined || site.listenPort === WELL_KNOWN[site.scheme];
  return unnamed && wanted === usual ? undefined : wanted;
}

function action(world: World, route: RequestRoute, rule: RequestRule, match: RequestMatch, site: Site): RouteAction {
  const refused: RouteAction = { kind: 'direct-response', status: 500, body: undefined };
  const all = [...rule.filters, ...rule.backends.flatMap((one) => one.filters)];
  if (all.some(({ kind }) => kind === 'unavailable')) return refused;
  const redirect = rule.filters.find((filter) => filter.kind === 'redirect');
  if (redirect !== undefined) {
    const uriRegex = pathEdit(redirect.path, match);
    return {
      kind: 'redirect',
      redirect: {
        uri: undefined,
        prefix: undefined,
        ...(uriRegex === undefined ? {} : { uriRegex }),
        authority: redirect.host,
        scheme: redirect.scheme,
        port: redirectPort(redirect, site),
        code: redirect.code,
      },
    };
  }
  const live = rule.backends.filter(({ weight }) => weight > 0);
  const resolved = live.map((ref) => ({ ref, to: resolvedBackend(world, route.kind, route.meta.namespace, ref) }));
  if (resolved.every(({ to }) => typeof to === 'string')) return refused;
  return {
    kind: 'route',
    destinations: resolved.map(({ ref, to }) => ({
      destination: typeof to === 'string' ? { host: NOBODY, subset: undefined, port: ref.port } : to,
      weight: ref.weight,
      headers: headersOf(ref.filters),
    })),
  };
}

/** The shorter of two limits, 0 being none. */
function timeout({ requestTimeoutMs, backendTimeoutMs, retries }: RequestRule): number | undefined {
  const given = [requestTimeoutMs, retries === undefined ? backendTimeoutMs : undefined].filter(
    (one) => one !== undefined && one > 0,
  );
  return given.length === 0 ? undefined : Math.min(...given.map(Number));
}

function httpRoute(world: World, site: Site, route: RequestRoute, at: number, rule: RequestRule, match: RequestMatch): HttpRoute {
  const session = sessionOf(route, rule, at, match);
  const { filters } = rule;
  const live = rule.backends.filter(({ weight }) => weight > 0);
  const own = live.length === 1 ? (live[0]?.filters ?? []) : [];
  const rewrite = [...own, ...filters].find((filter) => filter.kind === 'rewrite' && filter.path !== undefined);
  const uriRegex = rewrite?.kind === 'rewrite' ? pathEdit(rewrite.path, match) : undefined;
  const backendTimeout = (rule.backendTimeoutMs ?? 0) > 0 ? rule.backendTimeoutMs : undefined;
  return {
    name: rule.name ?? `${route.meta.namespace}.${route.meta.name}`,
    match: [
      {
        name: undefined,
        uri: match.uri,
        ignoreUriCase: false,
        scheme: undefined,
        method: match.method === undefined ? undefined : { kind: 'exact', value: match.method },
        authority: undefined,
        headers: match.headers,
        withoutHeaders: {},
        queryParams: match.queryParams,
        port: site.port,
        sourceLabels: {},
        sourceNamespace: undefined,
        gateways: [...site.gateways],
        statPrefix: undefined,
      },
    ],
    action: action(world, route, rule, match, site),
    rewrite: uriRegex === undefined ? undefined : { uri: undefined, uriRegex, authority: undefined },
    timeoutMs: timeout(rule),
    retries: rule.retries === undefined ? undefined : { ...rule.retries, perTryTimeoutMs: backendTimeout },
    fault: undefined,
    mirrors: [...filters, ...own].flatMap((filter) => {
      if (filter.kind !== 'mirror') return [];
      const to = resolvedBackend(world, route.kind, route.meta.namespace, filter.backend);
      // A copy that has nowhere to go is not made; the request itself goes on.
      return typeof to === 'string' ? [] : [{ destination: to, percentage: filter.percentage }];
    }),
    cors: filters.find((filter) => filter.kind === 'cors')?.cors,
    headers: headersOf(filters),
    unknownDestination: 500,
    ...(session === undefined ? {} : { session }),
  };
}

export interface Site {
  /** Undefined: as the request names it. */
  readonly listenPort: Port | undefined;
  /** Of the requests that are meant; undefined: any. */
  readonly port: Port | undefined;
  readonly gateways: readonly GatewayName[];
  readonly scheme: 'http' | 'https';
}

/** Each match of each rule of a route, for one place where it is attached. */
export function rankedMatches(world: World, site: Site, route: RequestRoute): readonly Ranked[] {
  return route.rules.flatMap((rule, at) =>
    rule.matches.map((match) => ({ route, at, match, http: httpRoute(world, site, route, at, rule, match) })),
  );
}

const PATH_RANK = Object.freeze({ exact: 3, prefix: 2, regex: 1 });

/** What comes first of all that may match: the exact path, the longest prefix, a method, most headers, most parameters, the older route. */
export function byPrecedence(one: Ranked, other: Ranked): number {
  const weigh = ({ match: { uri, method, headers, queryParams } }: Ranked): readonly number[] => [
    uri === undefined ? 2 : PATH_RANK[uri.kind],
    uri?.value.length ?? 1,
    method === undefined ? 0 : 1,
    Object.keys(headers).length,
    Object.keys(queryParams).length,
  ];
  const [a, b] = [weigh(one), weigh(other)];
  for (const [at, value] of a.entries()) if (value !== b[at]) return (b[at] ?? 0) - value;
  return older(one.route.meta, other.route.meta) || one.at - other.at;
}
