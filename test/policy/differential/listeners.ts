import { toJson } from '@bufbuild/protobuf';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { RevokedPeers } from '../../../ca/revocation/list.ts';
import type { PathNormalization } from '../../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { httpAuthorization } from '../../../policy/compile/authorization.ts';
import { tcpAuthorization } from '../../../policy/compile/tcp-authorization.ts';
import type { SelectedWorkload } from '../../../policy/select.ts';
import { EXTENSIONS } from '../../../routing/wire/registry.ts';
import type { Issued } from '../../audit/envoy/certificates.ts';

export const registry = EXTENSIONS;

const TYPE = 'type.googleapis.com/envoy.extensions';

/** As xds configures the connection manager for MeshConfig's pathNormalization. */
function normalization(mode: PathNormalization): object {
  switch (mode) {
    case 'NONE':
      return { normalize_path: false };
    case 'BASE':
      return { normalize_path: true };
    case 'MERGE_SLASHES':
      return { normalize_path: true, merge_slashes: true };
    case 'DECODE_AND_MERGE_SLASHES':
      return { normalize_path: true, merge_slashes: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' };
    default:
      return mode satisfies never;
  }
}

function details(key: string, format: string): object {
  return { header: { key, value: format }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

function connectionManager({ snapshot, workload, revoked }: Place): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      ...normalization(snapshot.meshConfig.pathNormalization),
      http_filters: [
        ...httpAuthorization(snapshot, workload, revoked).map((filter) => toJson(HttpFilterSchema, filter, { registry })),
        { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
      local_reply_config: {
        mappers: [
          {
            filter: { status_code_filter: { comparison: { op: 'GE', value: { default_value: 400, runtime_key: 'none' } } } },
            headers_to_add: [details('x-details', '%RESPONSE_CODE_DETAILS%')],
          },
        ],
      },
      route_config: {
        response_headers_to_add: [details('x-rule', '%DYNAMIC_METADATA(envoy.filters.http.rbac:enforced_effective_policy_id)%')],
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, direct_response: { status: 200 } }] }],
      },
    },
  };
}

function tls(certificate: Issued, root: string, requireCertificate: boolean): object {
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: requireCertificate,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { inline_string: certificate.cert }, private_key: { inline_string: certificate.key } },
        ],
        validation_context: { trusted_ca: { inline_string: root } },
      },
    },
  };
}

export interface Place {
  readonly snapshot: Snapshot;
  readonly workload: SelectedWorkload;
  readonly protocol: 'HTTP' | 'TCP';
  readonly address: string;
  readonly port: number;
  /** Plain text gets in. */
  readonly permissive: boolean;
  /** A caller may come without a certificate, over TLS, as to a gateway. */
  readonly anonymous?: boolean;
  readonly revoked?: RevokedPeers;
}

function listener(place: Place, certificate: Issued, root: string): object {
  const filters =
    place.protocol === 'HTTP'
      ? [connectionManager(place)]
      : [
          ...tcpAuthorization(place.snapshot, place.workload, place.revoked).map((filter) =>
            toJson(FilterSchema, filter, { registry }),
          ),
          { name: 'envoy.filters.network.echo', typed_config: { '@type': `${TYPE}.filters.network.echo.v3.Echo` } },
        ];
  const encrypted = {
    filter_chain_match: { transport_protocol: 'tls' },
    transport_socket: tls(certificate, root, place.anonymous !== true),
    filters,
  };
  const plain = { filter_chain_match: { transport_protocol: 'raw_buffer' }, filters };
  return {
    name: `${place.address}_${place.port}`,
    address: { socket_address: { address: place.address, port_value: place.port } },
    enable_reuse_port: false,
    listener_filters: [
      { name: 'tls_inspector', typed_config: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` } },
    ],
    filter_chains: place.permissive ? [encrypted, plain] : [encrypted],
  };
}

/** A static Envoy with one listener for each place. */
export function bootstrapOf(places: readonly Place[], certificate: Issued, root: string): object {
  return {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          static_layer: {
            'envoy.reloadable_features.http_reject_path_with_fragment': false,
            're2.max_program_size.error_level': 32768,
          },
        },
      ],
    },
    static_resources: { listeners: places.map((place) => listener(place, certificate, root)) },
  };
}
