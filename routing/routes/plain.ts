import { create } from '@bufbuild/protobuf';
import { type Route, type RouteAction_HashPolicy, RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { Retries } from '../../mesh/model/virtual-service.ts';
import { retryPolicy } from './retry.ts';
import { timeouts } from './route.ts';

/** Everything to one cluster: a service that no VirtualService speaks of. */
export function plainRoute(cluster: string, retries: Retries | undefined, hashPolicy: RouteAction_HashPolicy[] = []): Route {
  const retry = retryPolicy(retries, hashPolicy.length > 0);
  return create(RouteSchema, {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        ...timeouts(undefined),
        hashPolicy,
        ...(retry === undefined ? {} : { retryPolicy: retry }),
      },
    },
  });
}
