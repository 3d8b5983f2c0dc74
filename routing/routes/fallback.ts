import { create } from '@bufbuild/protobuf';
import {
  type Route,
  RouteMatchSchema,
  RouteSchema,
  type VirtualHost,
  VirtualHostSchema,
} from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { ANY_DYNAMIC, passesByName } from '../dynamic-dns/cache.ts';
import { OUTBOUND_CAPTURE_PORT, PASSTHROUGH } from '../names.ts';
import type { Scope } from '../scope.ts';
import { timeouts } from './route.ts';

const all = { pathSpecifier: { case: 'prefix' as const, value: '/' } };

function refused(name: string, text: string): Route {
  return create(RouteSchema, {
    name,
    match: all,
    action: {
      case: 'directResponse',
      value: { status: 502, ...(text === '' ? {} : { body: { specifier: { case: 'inlineString', value: text } } }) },
    },
  });
}

function fallback(name: string, route: Route): VirtualHost {
  return create(VirtualHostSchema, { name, domains: ['*'], routes: [route], includeRequestAttemptCount: true });
}

const BLOCK_ALL = fallback('block_all', refused('block_all', ''));
const ALLOW_ANY = fallback(
  'allow_any',
  create(RouteSchema, {
    name: 'allow_any',
    match: all,
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: PASSTHROUGH }, ...timeouts(undefined) } },
  }),
);

/** An explicit proxy that is asked for a proxy, as which it would find itself, would call itself again and again. */
const CIRCLE = create(RouteSchema, {
  ...refused('circle', 'this is the proxy itself: no such host in the mesh\n'),
  match: create(RouteMatchSchema, {
    ...all,
    headers: [
      {
        name: ':authority',
        headerMatchSpecifier: {
          case: 'stringMatch',
          value: { matchPattern: { case: 'suffix', value: `:${OUTBOUND_CAPTURE_PORT}` } },
        },
      },
    ],
  }),
});

const FOUND = create(RouteSchema, {
  name: 'allow_any_dynamic_dns',
  match: all,
  action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: ANY_DYNAMIC }, ...timeouts(undefined) } },
});
const BY_NAME = fallback('allow_any_dynamic_dns', FOUND);
const BY_NAME_EXPLICIT = create(VirtualHostSchema, { ...BY_NAME, routes: [CIRCLE, FOUND] });

const NAMES: ReadonlySet<string> = new Set([BLOCK_ALL, BY_NAME, ALLOW_ANY].map(({ name }) => name));

/** True for the routes of a whole port or proxy, which any host may be asked of; all others are one service's. */
export function hasFallback({ virtualHosts }: RouteConfiguration): boolean {
  return virtualHosts.some(({ name }) => NAMES.has(name));
}

/**
 * Hosts that the mesh does not know: passed on to where the caller was going, found by their names, or refused with 502, as
 * `outboundTrafficPolicy` says. An explicit proxy has no original destination (its own address is all it sees), so that for it
 * `ALLOW_ANY` is by name as well.
 */
export function fallbackHost(scope: Scope): VirtualHost {
  if (scope.view.outboundTrafficPolicy === 'REGISTRY_ONLY') return BLOCK_ALL;
  if (!passesByName(scope)) return ALLOW_ANY;
  return scope.proxy.instance.capture.kind === 'explicit' ? BY_NAME_EXPLICIT : BY_NAME;
}
