import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { CorsSchema } from '#gen/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import { HTTPFaultSchema } from '#gen/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '#gen/envoy/extensions/filters/http/router/v3/router_pb.js';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { httpAccessLog, type Vantage } from '../access-log/grpc.ts';
import { CORS_FILTER } from '../routes/cors.ts';
import { FAULT_FILTER } from '../routes/fault.ts';
import { noSessions, SESSION_FILTER } from '../routes/session.ts';
import { typedConfig } from '../wire/any.ts';
import { adsSource } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';
import { pathNormalization } from './path-normalization.ts';

const HTTP_CONNECTION_MANAGER = 'envoy.filters.network.http_connection_manager';
/** What Istio's proxies call themselves; scripts and tutorials look for it. */
const SERVER_NAME = 'istio-envoy';

type Init = MessageInitShape<typeof HttpConnectionManagerSchema>;

export interface HttpChain {
  readonly mesh: MeshConfig;
  readonly vantage: Vantage;
  /** Of a gateway that says so itself; otherwise the mesh's counts. */
  readonly trustedProxies?: number | undefined;
  readonly statPrefix: string;
  /** Routes that come with the listener, or the name of a route configuration that comes by RDS. */
  readonly routes: RouteConfiguration | string;
  /** Run in order, before the router. */
  readonly filters: readonly HttpFilter[];
}

export function httpFilter(name: string, configType: ReturnType<typeof typedConfig>): HttpFilter {
  return create(HttpFilterSchema, { name, configType });
}

/** What routes of VirtualServices may switch on: CORS answers preflights, so it is before the faults. */
export function routeFilters(): readonly HttpFilter[] {
  return [httpFilter(CORS_FILTER, typedConfig(CorsSchema, {})), httpFilter(FAULT_FILTER, typedConfig(HTTPFaultSchema, {}))];
}

/** Bounds on what anyone outside can make a gateway hold (Envoy's advice for edge proxies). */
const EDGE_HEADERS_TIMEOUT_MS = 10_000;
const EDGE_CONCURRENT_STREAMS = 100;

/**
 * Whom the other side is believed. Applications read who called from x-forwarded-client-cert: only what this proxy verified
 * itself may stand there, so the header is replaced, and removed on plain text. At the edge the connection's own address
 * counts, or the one that as many trusted proxies in front tell, never one that the client tells.
 */
function byVantage(vantage: Vantage, trustedProxies: number) {
  const verified = {
    forwardClientCertDetails: Forward.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, uri: true, dns: true },
  };
  switch (vantage) {
    case 'inbound':
      return { useRemoteAddress: false, ...verified };
    case 'outbound':
      return { useRemoteAddress: false };
    case 'gateway':
      return {
        useRemoteAddress: true,
        xffNumTrustedHops: trustedProxies,
        ...verified,
        requestHeadersTimeout: duration(EDGE_HEADERS_TIMEOUT_MS),
        http2ProtocolOptions: { maxConcurrentStreams: EDGE_CONCURRENT_STREAMS },
      };
    default:
      return vantage satisfies never;
  }
}

/** The network filter that speaks HTTP, any version, and web sockets. No idle limit on streams, as Istio: long polls live. */
export function httpConnectionManager(chain: HttpChain): Filter {
  const { routes, filters, mesh } = chain;
  const routeSpecifier: Init['routeSpecifier'] =
    typeof routes === 'string'
      ? { case: 'rds', value: { configSource: adsSource(), routeConfigName: routes } }
      : { case: 'routeConfig', value: routes };
  return create(FilterSchema, {
    name: HTTP_CONNECTION_MANAGER,
    configType: typedConfig(HttpConnectionManagerSchema, {
      codecType: HttpConnectionManager_CodecType.AUTO,
      statPrefix: chain.statPrefix,
      serverName: SERVER_NAME,
      routeSpecifier,
      httpFilters: [
        ...filters,
        ...(chain.vantage === 'gateway' ? [httpFilter(SESSION_FILTER, { case: 'typedConfig', value: noSessions() })] : []),
        httpFilter('envoy.filters.http.router', typedConfig(RouterSchema, {})),
      ],
      accessLog: [httpAccessLog(chain.vantage)],
      upgradeConfigs: [{ upgradeType: 'websocket' }],
      httpProtocolOptions: { allowAbsoluteUrl: true, acceptHttp10: true },
      streamIdleTimeout: duration(0),
      ...pathNormalization(mesh.pathNormalization),
      ...byVantage(chain.vantage, chain.trustedProxies ?? mesh.numTrustedProxies ?? 0),
    }),
  });
}
