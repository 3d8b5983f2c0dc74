import { create } from '@bufbuild/protobuf';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { tcpAccessLog, type Vantage } from '../access-log/grpc.ts';
import { typedConfig } from '../wire/any.ts';

/** The network filter that carries bytes to one cluster. */
export function tcpProxy(vantage: Vantage, statPrefix: string, cluster: string): Filter {
  return create(FilterSchema, {
    name: 'envoy.filters.network.tcp_proxy',
    configType: typedConfig(TcpProxySchema, {
      statPrefix,
      clusterSpecifier: { case: 'cluster', value: cluster },
      accessLog: [tcpAccessLog(vantage)],
    }),
  });
}
