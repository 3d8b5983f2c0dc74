import assert from 'node:assert/strict';
import { create, toJson } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import { parseHostname } from '../../../mesh/model/hostname.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { peerFilter } from '../../../policy/compile/peer.ts';
import { NOBODY } from '../../../policy/compile/revoked.ts';
import { NO_KEYS } from '../../../policy/jwks/known.ts';
import { EXTENSIONS } from '../../../routing/wire/registry.ts';
import { discoveredSecurity } from '../../../xds/resources/security.ts';
import { snapshotOf } from '../../routing/compiled.ts';
import { given, operation, policy, port, rule } from '../model.ts';

/** What is said about one path: nothing, DENY, or CUSTOM with this provider; `absent` is one that is not there. */
export const SAID = ['nothing', 'deny', 'web', 'rpc', 'absent'] as const;
export type Said = (typeof SAID)[number];
export type World = readonly [Said, Said];
export const PATHS = ['/one', '/two'] as const;

const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: authz, namespace: shop}
spec:
  selector: {app: authz}
  ports: [{name: http, port: 8000}, {name: grpc, port: 9000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}
`;

function snapshotFor(world: World): Snapshot {
  const host = parseHostname('authz.shop.svc.cluster.local');
  assert.ok(host !== undefined);
  const shared = { service: { namespace: undefined, host }, timeoutMs: 5000, failOpen: false, statusOnError: undefined };
  const common = { ...shared, clearRouteCache: false, body: undefined };
  const headers = { requestHeaders: ['x-ext-authz'], additionalHeaders: {}, toUpstreamOnAllow: [] };
  const base = snapshotOf(SERVICE, {
    extensionProviders: [
      { kind: 'ext-authz-grpc', name: 'rpc', port: port(9000), ...common },
      {
        kind: 'ext-authz-http',
        name: 'web',
        port: port(8000),
        pathPrefix: '',
        toDownstreamOnDeny: [],
        toDownstreamOnAllow: [],
        ...headers,
        ...common,
      },
    ],
  });
  const authorizationPolicies = world.flatMap((said, index): readonly AuthorizationPolicy[] => {
    if (said === 'nothing') return [];
    const paths = given([{ kind: 'exact', value: PATHS[index] ?? '' } as const]);
    const rules = [rule({ to: [operation({ paths })] })];
    const named = said === 'deny' ? { action: 'DENY' as const } : { action: 'CUSTOM' as const, provider: said };
    return [policy('shop', `p${index}`, { ...named, rules })];
  });
  return { ...base, authorizationPolicies };
}

/** What the slots of the workload hold, by name and in order. */
function slotsOf(world: World, change: (held: Any) => Any): ReadonlyMap<string, Any> {
  const snapshot = snapshotFor(world);
  const [workload] = snapshot.workloads;
  assert.ok(workload !== undefined);
  const { security, extensions } = discoveredSecurity(snapshot, workload, NOBODY, NO_KEYS);
  const held = new Map(
    extensions.flatMap(({ name, typedConfig }) => (typedConfig === undefined ? [] : [[name, change(typedConfig)] as const])),
  );
  const order = security.httpFilters().map(({ name }) => name);
  return new Map(order.flatMap((name) => (held.has(name) ? [[name, held.get(name)] as const] : [])) as [string, Any][]);
}

export interface Mix {
  readonly before: World;
  readonly after: World;
  readonly arrived: ReadonlySet<string>;
  readonly filters: readonly HttpFilter[];
}

/**
 * Every state in which some of the slots that a change touches hold the new and others still the old.
 * @param change made to what each slot holds
 */
export function mixesOf(before: World, after: World, change = (held: Any): Any => held): readonly Mix[] {
  const [old, next] = [slotsOf(before, change), slotsOf(after, change)];
  assert.deepEqual([...old.keys()], [...next.keys()]);
  const changed = [...old.keys()].filter(
    (name) => !Buffer.from(old.get(name)?.value ?? []).equals(next.get(name)?.value ?? Buffer.of()),
  );
  return Array.from({ length: 2 ** changed.length }, (_, bits) => {
    const arrived = new Set(changed.filter((_name, index) => ((bits >> index) & 1) === 1));
    const filters = [...old].map(([name, was]) => {
      const value = arrived.has(name) ? (next.get(name) ?? was) : was;
      return create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } });
    });
    return { before, after, arrived, filters: [peerFilter(), ...filters] };
  });
}

const TYPE = 'type.googleapis.com/envoy.extensions';

/** A cluster of one authorizer. */
export function cluster(name: string, address: string, port: number, grpc: boolean): object {
  return {
    name,
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] }],
    },
    ...(grpc
      ? {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }
      : {}),
  };
}

export function bootstrapOf(
  mixes: readonly Mix[],
  address: string,
  ports: { readonly http: number; readonly grpc: number },
): object {
  const listener = ({ filters }: Mix, index: number) => ({
    name: String(index),
    address: { socket_address: { address, port_value: 0 } },
    enable_reuse_port: false,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'in',
              http_filters: [
                ...filters.map((filter) => toJson(HttpFilterSchema, filter, { registry: EXTENSIONS })),
                { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
              ],
              route_config: {
                virtual_hosts: [
                  { name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, direct_response: { status: 200 } }] },
                ],
              },
            },
          },
        ],
      },
    ],
  });
  return {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: {
      clusters: [
        cluster('outbound|8000||authz.shop.svc.cluster.local', address, ports.http, false),
        cluster('outbound|9000||authz.shop.svc.cluster.local', address, ports.grpc, true),
      ],
      listeners: mixes.map(listener),
    },
  };
}
