import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_TransportSocketMatchSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { ProxyProtocolConfig_Version } from '#gen/envoy/config/core/v3/proxy_protocol_pb.js';
import { ProxyProtocolUpstreamTransportSchema } from '#gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import type { Subset } from '../../mesh/model/destination-rule.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import { TLS_MODE } from '../endpoints/assign.ts';
import { outboundSni } from '../names.ts';
import type { Scope } from '../scope.ts';
import { originateTls } from '../tls/originate.ts';
import { serverIdentities } from '../tls/secure-naming.ts';
import { meshAlpn, mutualTlsClient, plainText } from '../tls/upstream.ts';
import { typedConfig } from '../wire/any.ts';
import { gatewayKeyPair } from './gateway-key-pair.ts';
import type { PortPolicy } from './traffic-policy.ts';

type Transport = Pick<Cluster, 'transportSocketMatches'> | { readonly transportSocket?: TransportSocket };

const VERSIONS = Object.freeze({ V1: ProxyProtocolConfig_Version.V1, V2: ProxyProtocolConfig_Version.V2 });

/** Says who called before the first byte, encrypted bytes included (Envoy's upstream PROXY protocol). */
function announcing(version: PortPolicy['proxyProtocol'], inner: TransportSocket): TransportSocket {
  if (version === undefined) return inner;
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    configType: typedConfig(ProxyProtocolUpstreamTransportSchema, {
      config: { version: VERSIONS[version] },
      transportSocket: inner,
    }),
  });
}

export interface Destination {
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: Subset | undefined;
  readonly policy: PortPolicy;
  /** What the cluster speaks, after an upgrade. */
  readonly protocol: Protocol;
  readonly speaksHttp: boolean;
}

/**
 * How connections are protected. ISTIO_MUTUAL: always mTLS of the mesh. SIMPLE, MUTUAL: TLS as the rule says. DISABLE: never. Nothing said:
 * mTLS toward every endpoint that is known to have a proxy with an identity, plain text toward the others.
 */
export function transport(scope: Scope, { service, port, subset, policy, protocol, speaksHttp }: Destination): Transport {
  const { snapshot } = scope;
  const { tls, proxyProtocol } = policy;
  const mutual = (sni: string | undefined, given: readonly string[]) =>
    mutualTlsClient({
      sni: sni ?? outboundSni(port.port, subset?.name, service.hostname),
      alpn: meshAlpn(protocol),
      servers: serverIdentities(snapshot, service, given.length > 0 ? given : (service.subjectAltNames ?? [])),
      parameters: snapshot.meshConfig.meshMtls,
    });
  const alone = (socket: TransportSocket) => ({ transportSocket: announcing(proxyProtocol, socket) });
  switch (tls?.mode) {
    case 'ISTIO_MUTUAL':
      return alone(mutual(tls.sni, tls.subjectAltNames));
    case 'SIMPLE':
    case 'MUTUAL': {
      const host = service.hostname.includes('*') ? undefined : service.hostname;
      const http2 = protocol === 'http2' || protocol === 'grpc';
      const named =
        tls.subjectAltNames.length > 0 || service.subjectAltNames === undefined
          ? tls
          : { ...tls, subjectAltNames: service.subjectAltNames };
      const keyPair = tls.keyPair ?? gatewayKeyPair(scope, tls);
      return alone(
        originateTls({
          tls: { ...named, keyPair },
          host,
          byRequest: speaksHttp && tls.sni === undefined,
          http2,
          defaults: snapshot.meshConfig.tlsDefaults,
        }),
      );
    }
    case 'DISABLE':
    case 'UNAVAILABLE':
      return proxyProtocol === undefined ? {} : alone(plainText());
    case undefined:
      break;
    default:
      return tls satisfies never;
  }
  if (!snapshot.meshConfig.enableAutoMtls || service.resolution !== 'endpoints')
    return proxyProtocol === undefined ? {} : alone(plainText());
  const match = (name: string, fields: Record<string, string>, socket: TransportSocket) =>
    create(Cluster_TransportSocketMatchSchema, {
      name,
      match: fields,
      transportSocket: announcing(proxyProtocol, socket),
    });
  return {
    transportSocketMatches: [
      match('tlsMode-istio', { [TLS_MODE]: 'istio' }, mutual(undefined, [])),
      match('tlsMode-disabled', {}, plainText()),
    ],
  };
}
