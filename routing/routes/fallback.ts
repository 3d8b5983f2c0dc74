import { create } from '@bufbuild/protobuf';
import { type Route, RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { PASSTHROUGH } from '../names.ts';
import type { Scope } from '../scope.ts';
import { timeouts } from './route.ts';
import type { VirtualHosts } from './virtual-hosts.ts';

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

const NAMES: ReadonlySet<string> = new Set(['block_all', 'unknown_host', 'allow_any']);

/** True for the routes of a whole port or proxy, which any host may be asked of; all others are one service's. */
export function hasFallback({ virtualHosts }: RouteConfiguration): boolean {
  return virtualHosts.some(({ name }) => NAMES.has(name));
}

/**
 * Hosts that the mesh does not know: passed on to where the caller was going, or refused with 502, as
 * `outboundTrafficPolicy` says. An explicit proxy has no original destination (its own address is all it sees, and
 * forwarding there would loop), so it refuses; see docs/routing.md.
 */
export function addFallback(scope: Scope, hosts: VirtualHosts): void {
  if (scope.view.outboundTrafficPolicy === 'REGISTRY_ONLY') {
    hosts.add('block_all', ['*'], [refused('block_all', '')]);
    return;
  }
  if (scope.proxy.instance.capture.kind === 'explicit') {
    hosts.add(
      'unknown_host',
      ['*'],
      [
        refused(
          'unknown_host',
          'no such host in the mesh: name it in a Service or ServiceEntry, or leave the proxy out (NO_PROXY)\n',
        ),
      ],
    );
    return;
  }
  const pass = create(RouteSchema, {
    name: 'allow_any',
    match: all,
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: PASSTHROUGH }, ...timeouts(undefined) } },
  });
  hosts.add('allow_any', ['*'], [pass]);
}
