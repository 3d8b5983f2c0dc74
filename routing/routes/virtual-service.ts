import type { Route } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Scope } from '../scope.ts';
import { applies, type RouteSite } from './applies.ts';
import { isCatchAll } from './match.ts';
import { routeOf } from './route.ts';

/** The routes of a VirtualService at one site, in the order written, up to and with the first that takes everything. */
export function virtualServiceRoutes(scope: Scope, site: RouteSite, virtual: VirtualService): Route[] {
  const routes: Route[] = [];
  for (const http of virtual.http) {
    const matches = http.match.length === 0 ? [undefined] : http.match.filter((match) => applies(scope, site, match));
    for (const match of matches) {
      const route = routeOf(scope, site, http, match);
      routes.push(route);
      if (route.match !== undefined && isCatchAll(route.match)) return routes;
    }
  }
  return routes;
}
