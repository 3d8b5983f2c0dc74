import { SERIAL_TAG } from '../../../routing/access-log/grpc.ts';
import type { Issued } from './certificates.ts';

/** A static Envoy: mTLS inbound listener, plain inbound listener, TCP inbound listener, outbound HTTP and TCP listeners, a gateway. */
export interface BootstrapInput {
  readonly alsPort: number;
  readonly appPort: number;
  readonly deadPort: number;
  /** Where the plain inbound listener is bound, so that outbound calls can lead to it. */
  readonly plainPort: number;
  readonly certificate: Issued;
  readonly root: string;
}

const TYPE = 'type.googleapis.com/envoy';

function logger(kind: 'Http' | 'Tcp', logName: string, tags: readonly object[] = []): object {
  const common = {
    log_name: logName,
    transport_api_version: 'V3',
    grpc_service: { envoy_grpc: { cluster_name: 'als' } },
    buffer_flush_interval: '0.05s',
    custom_tags: [{ tag: SERIAL_TAG, value: '%DOWNSTREAM_PEER_SERIAL%' }, ...tags],
  };
  return {
    name: `envoy.access_loggers.${kind.toLowerCase()}_grpc`,
    typed_config: {
      '@type': `${TYPE}.extensions.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig`,
      common_config: common,
      ...(kind === 'Http' ? { additional_request_headers_to_log: ['content-type'] } : {}),
    },
  };
}

function rule(principal: string, path: string): object {
  return {
    permissions: [{ url_path: { path: { prefix: path } } }],
    principals: [{ authenticated: { principal_name: { exact: principal } } }],
  };
}

function httpRbac(action: 'ALLOW' | 'DENY', prefix: string, policies: object): object {
  return {
    name: `envoy.filters.http.rbac`,
    typed_config: {
      '@type': `${TYPE}.extensions.filters.http.rbac.v3.RBAC`,
      rules: { action, policies },
      rules_stat_prefix: prefix,
    },
  };
}

const ROUTER = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPE}.extensions.filters.http.router.v3.Router` },
};
const FAULT = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': `${TYPE}.extensions.filters.http.fault.v3.HTTPFault`,
    abort: { http_status: 555, percentage: { numerator: 100 } },
    headers: [{ name: 'x-abort', present_match: true }],
  },
};

function hcm(logName: string, filters: readonly object[], routes: readonly object[]): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: logName,
      access_log: [logger('Http', logName)],
      http_filters: [...filters, ROUTER],
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    },
  };
}

function tcpProxy(logName: string, cluster: string): object {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: logName,
      cluster,
      access_log: [logger('Tcp', logName, [{ tag: 'announced', literal: { value: '1' } }])],
      access_log_options: { flush_access_log_on_connected: true },
    },
  };
}

function listener(name: string, chain: object, extra: object = {}, port = 0): object {
  return { name, address: { socket_address: { address: '127.0.0.1', port_value: port } }, filter_chains: [chain], ...extra };
}

function cluster(name: string, port: number, extra: object = {}): object {
  const endpoint = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
    ...extra,
  };
}

function downstreamTls(input: BootstrapInput): object {
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { inline_string: input.certificate.cert }, private_key: { inline_string: input.certificate.key } },
        ],
        validation_context: { trusted_ca: { inline_string: input.root } },
      },
    },
  };
}

const to = (name: string): object => ({ match: { prefix: '/' }, route: { cluster: name } });

const DENY = httpRbac('DENY', 'istio_deny_', {
  'ns[shop]-policy[no-admin]-rule[0]': rule('spiffe://test.mesh/ns/shop/sa/web', '/admin'),
});
const ALLOW = httpRbac('ALLOW', 'istio_allow_', {
  'ns[shop]-policy[web]-rule[1]': rule('spiffe://test.mesh/ns/shop/sa/web', '/'),
});
const NETWORK = {
  name: 'envoy.filters.network.rbac',
  typed_config: {
    '@type': `${TYPE}.extensions.filters.network.rbac.v3.RBAC`,
    stat_prefix: 'tcp.',
    rules: {
      action: 'ALLOW',
      policies: {
        'ns[shop]-policy[tcp]-rule[0]': {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { exact: 'spiffe://test.mesh/ns/shop/sa/web' } } }],
        },
      },
    },
  },
};

export function bootstrap(input: BootstrapInput): object {
  const tls = downstreamTls(input);
  const app = 'inbound|8080||';
  const dead = 'outbound|9080|v1|dead.shop.svc.cluster.local';
  const out = 'outbound|9080||app.shop.svc.cluster.local';
  const notFound = { access_log: [{ ...logger('Tcp', 'inbound'), filter: { response_flag_filter: { flags: ['NR'] } } }] };
  const matchTls = { filter_chain_match: { transport_protocol: 'tls' } };
  const inspector = {
    name: 'tls_inspector',
    typed_config: { '@type': `${TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector` },
  };
  return {
    node: { id: 'sidecar~127.0.0.1~app-1.shop~shop.svc.cluster.local', cluster: 'app.shop' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: {
      listeners: [
        listener(
          'mtls',
          { ...matchTls, transport_socket: tls, filters: [hcm('inbound', [DENY, ALLOW], [to(app)])] },
          { listener_filters: [inspector], ...notFound },
        ),
        listener('plain', { filters: [hcm('inbound', [], [to(app)])] }, {}, input.plainPort),
        listener('tcp', { transport_socket: tls, filters: [NETWORK, tcpProxy('inbound', app)] }),
        listener('outbound', {
          filters: [
            hcm(
              'outbound',
              [FAULT],
              [
                { match: { prefix: '/dead' }, route: { cluster: dead } },
                { match: { prefix: '/ok' }, route: { cluster: out } },
              ],
            ),
          ],
        }),
        listener('outbound-tcp', { filters: [tcpProxy('outbound', dead)] }),
        listener('gateway', {
          filters: [
            hcm(
              'gateway',
              [],
              [
                { match: { prefix: '/dead' }, route: { cluster: dead } },
                { match: { prefix: '/ok' }, route: { cluster: out } },
              ],
            ),
          ],
        }),
      ],
      clusters: [
        cluster(app, input.appPort),
        cluster(out, input.plainPort),
        cluster(dead, input.deadPort),
        cluster('als', input.alsPort, {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }),
      ],
    },
  };
}
