import { create } from '@bufbuild/protobuf';
import { type VirtualHost, VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema, VhdsSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { hasFallback } from '../../routing/routes/fallback.ts';
import { adsSource } from '../../routing/wire/config-source.ts';
import { type EncodedResource, encodeResource } from '../resource-set.ts';

/** Where a proxy finds its virtual hosts: in its route configurations, or as resources of their own. */
export type HostDelivery = 'inline' | 'apart';

export interface RouteResources {
  readonly routes: readonly EncodedResource[];
  readonly hosts: readonly EncodedResource[];
}

const VHDS = create(VhdsSchema, { configSource: adsSource() });

/**
 * Virtual hosts apart (VHDS): a changed one is sent alone instead of all of its port. Only of routes with a fallback, which is among them: Envoy
 * waits with a route configuration until one virtual host at least has come for it, and so one always does. Routes of a single service
 * stay whole. A resource is named `ROUTES/HOST`; Envoy finds the routes by what stands before the last slash, and takes a virtual host away only
 * if that is also the virtual host's own name.
 */
export function routeResources(configurations: readonly RouteConfiguration[], delivery: HostDelivery): RouteResources {
  if (delivery === 'inline')
    return { routes: configurations.map((one) => encodeResource(RouteConfigurationSchema, one)), hosts: [] };
  const hosts: EncodedResource[] = [];
  const routes = configurations.map((one) => {
    if (!hasFallback(one)) return encodeResource(RouteConfigurationSchema, one);
    for (const host of one.virtualHosts) hosts.push(apart(`${one.name}/${host.name}`, host));
    return routesApart(one);
  });
  return { routes, hosts };
}

const named = new WeakMap<VirtualHost, EncodedResource>();

function apart(name: string, host: VirtualHost): EncodedResource {
  const known = named.get(host);
  if (known?.name === name) return known;
  const made = encodeResource(VirtualHostSchema, create(VirtualHostSchema, { ...host, name }));
  named.set(host, made);
  return made;
}

/** Routes whose virtual hosts are resources of their own. */
export function routesApart(one: RouteConfiguration): EncodedResource {
  return encodeResource(RouteConfigurationSchema, withoutHosts(one));
}

const emptied = new WeakMap<RouteConfiguration, RouteConfiguration>();

function withoutHosts(one: RouteConfiguration): RouteConfiguration {
  const known = emptied.get(one);
  if (known !== undefined) return known;
  const made = create(RouteConfigurationSchema, { ...one, virtualHosts: [], vhds: VHDS });
  emptied.set(one, made);
  return made;
}
