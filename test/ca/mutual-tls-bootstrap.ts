const TYPE = 'type.googleapis.com/envoy.extensions';

export interface MutualTls {
  /** Of the listener, on a free port. */
  readonly name: string;
  readonly server: { readonly cert: string; readonly key: string };
  /** Against what callers are checked, as JSON. */
  readonly validation: object;
}

function listener({ name, server, validation }: MutualTls): object {
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [
      {
        transport_socket: {
          name: 'tls',
          typed_config: {
            '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
            require_client_certificate: true,
            common_tls_context: {
              tls_certificates: [
                { certificate_chain: { inline_string: server.cert }, private_key: { inline_string: server.key } },
              ],
              validation_context: validation,
            },
          },
        },
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'in',
              http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
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
  };
}

/** An Envoy that answers 200 to those who show it a certificate that it takes. */
export function mutualTlsBootstrap(listeners: readonly MutualTls[]): object {
  return {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: { listeners: listeners.map(listener) },
  };
}
