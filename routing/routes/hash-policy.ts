import { create } from '@bufbuild/protobuf';
import { type RouteAction_HashPolicy, RouteAction_HashPolicySchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { HashKey } from '../../mesh/model/load-balancer.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Destination } from '../../mesh/model/virtual-service.ts';
import { policyToward } from '../clusters/rules.ts';
import type { Scope } from '../scope.ts';
import { duration } from '../wire/duration.ts';
import { destinationPort } from './destination.ts';

function specifier(key: HashKey): RouteAction_HashPolicy['policySpecifier'] {
  const made = (policySpecifier: Parameters<typeof create<typeof RouteAction_HashPolicySchema>>[1]) =>
    create(RouteAction_HashPolicySchema, policySpecifier).policySpecifier;
  switch (key.kind) {
    case 'header':
      return made({ policySpecifier: { case: 'header', value: { headerName: key.name } } });
    case 'cookie': {
      const { name, path, ttlMs, attributes } = key;
      const value = {
        name,
        path: path ?? '',
        ...(ttlMs === undefined ? {} : { ttl: duration(ttlMs) }),
        attributes: attributes.map((attribute) => ({ ...attribute })),
      };
      return made({ policySpecifier: { case: 'cookie', value } });
    }
    case 'source-ip':
      return made({ policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } });
    case 'query-parameter':
      return made({ policySpecifier: { case: 'queryParameter', value: { name: key.name } } });
    default:
      return key satisfies never;
  }
}

/** What of a request decides which endpoint of each destination has it (`consistentHash` of their DestinationRules). */
export function hashPolicies(scope: Scope, destinations: readonly Destination[], listenPort: Port): RouteAction_HashPolicy[] {
  const keys = new Map<string, HashKey>();
  for (const destination of destinations) {
    const service = scope.view.serviceByHost.get(destination.host);
    if (service === undefined) continue;
    const port = destinationPort(scope, destination, listenPort);
    const key = policyToward(scope, service, port, destination.subset).loadBalancer?.hash?.key;
    if (key !== undefined) keys.set(JSON.stringify(key), key);
  }
  return [...keys.values()].map((key) => create(RouteAction_HashPolicySchema, { policySpecifier: specifier(key) }));
}
