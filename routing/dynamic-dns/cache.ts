// Names that Envoy resolves when they are asked for (its dynamic forward proxy): hosts under a wildcard, and hosts that no service claims.
import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_CustomClusterTypeSchema,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  ClusterSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { Filter } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { ClusterConfigSchema } from '#gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js';
import { type DnsCacheConfig, DnsCacheConfigSchema } from '#gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js';
import { FilterConfigSchema as HttpForwardSchema } from '#gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js';
import { FilterConfigSchema as SniForwardSchema } from '#gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js';
import type { HttpFilter } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { Port } from '../../mesh/model/port.ts';
import { CONNECT_TIMEOUT_MS } from '../clusters/fixed.ts';
import { httpProtocolOptions } from '../clusters/protocol-options.ts';
import type { Scope } from '../scope.ts';
import { typedConfig } from '../wire/any.ts';
import { duration } from '../wire/duration.ts';

/** Istio's name for where hosts go that no service claims, under `ALLOW_ANY_DYNAMIC_DNS`. */
export const ANY_DYNAMIC = 'AllowAnyDynamicDNSCluster';

/** Filters and clusters share a cache by its name, and must say the same of it. */
function cache(): DnsCacheConfig {
  return create(DnsCacheConfigSchema, { name: 'dynamic_dns', dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED });
}

/**
 * How a cluster is found by the name that a request, or a connection's TLS, asks for.
 * @param checked its TLS asks for that name, and checks it
 */
export function byName(checked: boolean): Pick<Cluster, 'clusterDiscoveryType' | 'lbPolicy'> {
  const config = { clusterImplementationSpecifier: { case: 'dnsCacheConfig' as const, value: cache() } };
  return {
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    clusterDiscoveryType: {
      case: 'clusterType',
      value: create(Cluster_CustomClusterTypeSchema, {
        name: 'envoy.clusters.dynamic_forward_proxy',
        // Without TLS there is no server name to check; with it, where a rule lists the names instead of the host asked for.
        typedConfig: typedConfig(ClusterConfigSchema, { ...config, allowInsecureClusterOptions: !checked }).value,
      }),
    },
  };
}

/** Hosts that no service claims, by their names. Its limits are Envoy's own, which end a circle of requests that should come to be. */
export function anyDynamic(): Cluster {
  const { lbPolicy, clusterDiscoveryType } = byName(false);
  return create(ClusterSchema, {
    name: ANY_DYNAMIC,
    lbPolicy,
    clusterDiscoveryType,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    typedExtensionProtocolOptions: httpProtocolOptions('unknown'),
  });
}

/** Whether hosts that no service claims are found by their names: an explicit proxy has no other way to pass anything on. */
export function passesByName({ view, proxy }: Scope): boolean {
  switch (view.outboundTrafficPolicy) {
    case 'REGISTRY_ONLY':
      return false;
    case 'ALLOW_ANY':
      return proxy.kind === 'sidecar' && proxy.instance.capture.kind === 'explicit';
    case 'ALLOW_ANY_DYNAMIC_DNS':
      return proxy.kind === 'sidecar';
  }
  return view.outboundTrafficPolicy satisfies never;
}

/** True where some route of the proxy may lead to a name. */
export function asksForNames(scope: Scope): boolean {
  return scope.view.names || passesByName(scope);
}

/** Resolves the host of a request that goes to such a cluster; does nothing for all others. */
export function resolvesHosts(scope: Scope): readonly HttpFilter[] {
  if (!asksForNames(scope)) return [];
  const config = { implementationSpecifier: { case: 'dnsCacheConfig' as const, value: cache() } };
  return [
    create(HttpFilterSchema, {
      name: 'envoy.filters.http.dynamic_forward_proxy',
      configType: typedConfig(HttpForwardSchema, config),
    }),
  ];
}

/** Resolves the server name of a TLS connection, before it goes to such a cluster. */
export function resolvesServerName(port: Port): Filter {
  return create(FilterSchema, {
    name: 'envoy.filters.network.sni_dynamic_forward_proxy',
    configType: typedConfig(SniForwardSchema, {
      dnsCacheConfig: cache(),
      portSpecifier: { case: 'portValue', value: port },
    }),
  });
}
