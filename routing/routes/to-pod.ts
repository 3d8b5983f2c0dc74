import { create } from '@bufbuild/protobuf';
import { type Route, RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { narrowedTo } from '../endpoints/one-of.ts';

/** The route to one pod of a headless Service, by the name that it has below the Service's; other destinations stay as they are. */
export function toPod(route: Route, hostname: string): Route {
  if (route.action.case !== 'route' || route.action.value.metadataMatch !== undefined) return route;
  const action = { ...route.action, value: { ...route.action.value, metadataMatch: narrowedTo('hostname', hostname) } };
  return create(RouteSchema, { ...route, action });
}
