import { create } from '@bufbuild/protobuf';
import {
  type Route,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  RouteActionSchema,
  RouteSchema,
  type WeightedCluster_ClusterWeight,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { HttpMatch, HttpRoute, RouteDestination } from '../../mesh/model/virtual-service.ts';
import type { Scope } from '../scope.ts';
import { duration } from '../wire/duration.ts';
import { fractionalPercent } from '../wire/percent.ts';
import type { RouteSite } from './applies.ts';
import { CORS_FILTER, corsOf } from './cors.ts';
import { destinationCluster } from './destination.ts';
import { FAULT_FILTER, faultOf } from './fault.ts';
import { hashPolicies } from './hash-policy.ts';
import { authorityOf, headerEdits } from './headers.ts';
import { routeMatch } from './match.ts';
import { redirectAction } from './redirect.ts';
import { retryPolicy } from './retry.ts';
import { pathRewrite } from './rewrite.ts';
import { SESSION_FILTER, sessionOf } from './session.ts';

/**
 * No limit unless one is asked for. Nothing is said about gRPC's own deadline: `max_stream_duration` would turn `timeout` off
 * for every request, and `max_grpc_timeout` is going from Envoy. The header goes on, and the client ends the call itself.
 */
export function timeouts(timeoutMs: number | undefined) {
  return { timeout: duration(timeoutMs ?? 0) };
}

function weighted(scope: Scope, site: RouteSite, one: RouteDestination): WeightedCluster_ClusterWeight {
  const authority = authorityOf(one.headers);
  return create(WeightedCluster_ClusterWeightSchema, {
    name: destinationCluster(scope, one.destination, site.port),
    weight: one.weight,
    ...headerEdits([one.headers]),
    ...(authority === undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } }),
  });
}

/** Where to: one cluster, or several by weight. A weight of zero takes no part, unless it stands alone. */
function target(scope: Scope, site: RouteSite, destinations: readonly RouteDestination[]) {
  const live = destinations.length === 1 ? destinations : destinations.filter((one) => one.weight > 0);
  const [first] = live;
  if (first === undefined) return undefined;
  if (live.length === 1)
    return {
      sole: first,
      action: {
        clusterSpecifier: { case: 'cluster' as const, value: destinationCluster(scope, first.destination, site.port) },
      },
    };
  const clusters = live.map((one) => weighted(scope, site, one));
  return {
    sole: undefined,
    action: {
      clusterSpecifier: { case: 'weightedClusters' as const, value: create(WeightedClusterSchema, { clusters }) },
    },
  };
}

function routeAction(
  scope: Scope,
  site: RouteSite,
  http: HttpRoute,
  match: HttpMatch | undefined,
  destinations: readonly RouteDestination[],
) {
  const to = target(scope, site, destinations);
  if (to === undefined) return undefined;
  // The route's word on the authority goes before the destination's; a rewrite goes before both.
  const authority = http.rewrite?.authority ?? authorityOf(http.headers) ?? authorityOf(to.sole?.headers);
  const hashPolicy = hashPolicies(
    scope,
    destinations.map(({ destination }) => destination),
    site.port,
  );
  const retry = retryPolicy(http.retries ?? scope.snapshot.meshConfig.defaults?.retries, hashPolicy.length > 0);
  const action: RouteAction = create(RouteActionSchema, {
    ...to.action,
    ...(http.unknownDestination === undefined ? {} : { clusterNotFoundResponseCode: NotFound.INTERNAL_SERVER_ERROR }),
    ...timeouts(http.timeoutMs),
    ...pathRewrite(http.rewrite, match),
    appendXForwardedHost: scope.snapshot.meshConfig.forwardedHost === true && http.rewrite !== undefined,
    ...(authority === undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } }),
    ...(retry === undefined ? {} : { retryPolicy: retry }),
    hashPolicy,
    requestMirrorPolicies: http.mirrors
      .filter((mirror) => mirror.percentage > 0)
      .map((mirror) => ({
        cluster: destinationCluster(scope, mirror.destination, site.port),
        runtimeFraction: { defaultValue: fractionalPercent(mirror.percentage) },
        // A copy is nobody's request: it makes no trace of its own.
        traceSampled: false,
      })),
  });
  return { action, sole: to.sole };
}

function perFilter({ proxy }: Scope, http: HttpRoute): Record<string, Any> {
  // Sidecars have no filter for it.
  const session = proxy.kind === 'gateway' ? http.session : undefined;
  return {
    ...(session === undefined ? {} : { [SESSION_FILTER]: sessionOf(session) }),
    ...(http.fault === undefined ? {} : { [FAULT_FILTER]: faultOf(http.fault) }),
    ...(http.cors === undefined ? {} : { [CORS_FILTER]: corsOf(http.cors) }),
  };
}

function name(http: HttpRoute, match: HttpMatch | undefined): string {
  return match?.name === undefined ? (http.name ?? '') : `${http.name ?? ''}.${match.name}`;
}

/** Answers that have no body (RFC 9110, section 6.4.1); Envoy would write one, and clients would take it for the next answer. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** What to do: a route that leads nowhere answers 503 and never falls through to the next one. */
function action(
  scope: Scope,
  site: RouteSite,
  http: HttpRoute,
  match: HttpMatch | undefined,
): Pick<Route, 'action'> & { readonly sole?: RouteDestination | undefined } {
  const nowhere = (status: number) => create(RouteSchema, { action: { case: 'directResponse', value: { status } } }).action;
  switch (http.action.kind) {
    case 'route': {
      const made = routeAction(scope, site, http, match, http.action.destinations);
      return made === undefined ? { action: nowhere(503) } : { action: { case: 'route', value: made.action }, sole: made.sole };
    }
    case 'redirect': {
      const value = redirectAction(http.action.redirect, site.port);
      return { action: value === undefined ? nowhere(500) : { case: 'redirect', value } };
    }
    case 'direct-response': {
      const { status, body, base64 } = http.action;
      const content =
        base64 === undefined
          ? { case: 'inlineString' as const, value: body ?? '' }
          : { case: 'inlineBytes' as const, value: Buffer.from(base64, 'base64') };
      const response = body === undefined || WITHOUT_BODY.has(status) ? { status } : { status, body: { specifier: content } };
      return { action: create(RouteSchema, { action: { case: 'directResponse', value: response } }).action };
    }
    case 'delegate':
      // Resolved before; one that is left leads nowhere.
      return { action: nowhere(503) };
    default:
      return http.action satisfies never;
  }
}

/** One Envoy route: one match (undefined: all requests) of one route of a VirtualService. */
export function routeOf(scope: Scope, site: RouteSite, http: HttpRoute, match: HttpMatch | undefined): Route {
  const made = action(scope, site, http, match);
  return create(RouteSchema, {
    name: name(http, match),
    match: routeMatch(match),
    action: made.action,
    typedPerFilterConfig: perFilter(scope, http),
    ...headerEdits([http.headers, made.sole?.headers]),
    ...(match?.statPrefix === undefined ? {} : { statPrefix: match.statPrefix }),
  });
}
