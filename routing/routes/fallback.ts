import { create } from '@bufbuild/protobuf';
import { type Route, RouteSchema, type VirtualHost, VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { PASSTHROUGH } from '../names.ts';
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
const UNKNOWN_HOST = fallback(
  'unknown_host',
  refused('unknown_host', 'no such host in the mesh: name it in a Service or ServiceEntry, or leave the proxy out (NO_PROXY)\n'),
);
const ALLOW_ANY = fallback(
  'allow_any',
  create(RouteSchema, {
    name: 'allow_any',
    match: all,
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: PASSTHROUGH }, ...timeouts(undefined) } },
  }),
);

const NAMES: ReadonlySet<string> = new Set([BLOCK_ALL, UNKNOWN_HOST, ALLOW_ANY].map(({ name }) => name));

/** True for the routes of a whole port or proxy, which any host may be asked of; all others are one service's. */
export function hasFallback({ virtualHosts }: RouteConfiguration): boolean {
  return virtualHosts.some(({ name }) => NAMES.has(name));
}

/**
 * Hosts that the mesh does not know: passed on to where the caller was going, or refused with 502, as
 * `outboundTrafficPolicy` says. An explicit proxy has no original destination (its own address is all it sees, and
 * forwarding there would loop), so it refuses; see docs/routing.md.
 */
export function fallbackHost(scope: Scope): VirtualHost {
  if (scope.view.outboundTrafficPolicy === 'REGISTRY_ONLY') return BLOCK_ALL;
  return scope.proxy.instance.capture.kind === 'explicit' ? UNKNOWN_HOST : ALLOW_ANY;
}
