import type { KubernetesGateway } from '../../model/gateway-api.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { World } from '../world.ts';
import { classStatus } from './classes.ts';
import { gatewayStatuses } from './gateways.ts';
import type { Secrets } from './listeners.ts';
import { Parents } from './parents.ts';
import { policyStatus } from './policies.ts';
import { type Attached, routeStatus } from './routes.ts';
import type { ObjectStatus, Problem } from './status.ts';

/** A Gateway that nobody here serves. */
export interface Unserved {
  readonly gateway: KubernetesGateway;
  readonly problem: Problem;
}

export interface Judgement {
  readonly statuses: readonly ObjectStatus[];
  readonly unserved: readonly Unserved[];
}

function unserved(world: World): readonly Unserved[] {
  return world.allGateways.flatMap((gateway) => {
    const standing = world.standing(gateway);
    if (standing.kind === 'served') return [];
    const message =
      standing.kind === 'unknown'
        ? `there is no GatewayClass ${gateway.className}; the Gateway is left alone`
        : `class ${gateway.className} belongs to ${standing.controller}; the Gateway is left alone`;
    return [{ gateway, problem: { condition: 'Accepted', reason: standing.kind, message, field: 'spec.gatewayClassName' } }];
  });
}

/** What became of every object of the Gateway API, in a snapshot: values in, values out; who writes them where is not known here. */
export function judge(snapshot: Snapshot, secrets: Secrets): Judgement {
  const { gatewayApi, services, namespaces, configMaps, meshConfig } = snapshot;
  if (gatewayApi.length === 0) return { statuses: [], unserved: [] };
  const world = new World({ objects: gatewayApi, services, namespaces, configMaps, clusterDomain: meshConfig.clusterDomain });
  const parents = new Parents(world);
  const attached: Attached = new Map();
  const routes = [...world.requestRoutes, ...world.connectionRoutes].map((route) => routeStatus(parents, route, attached));
  return {
    statuses: [
      ...[...world.classes.values()].flatMap((value) => classStatus(world, value)),
      ...world.gateways.flatMap((gateway) => gatewayStatuses(parents, snapshot, secrets, attached, gateway)),
      ...routes,
      ...world.policies.map((policy) => policyStatus(parents, attached, policy)),
    ],
    unserved: unserved(world),
  };
}
