import { createRegistry, type Registry } from '@bufbuild/protobuf';
import { StringValueSchema, StructSchema } from '@bufbuild/protobuf/wkt';
import { HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/grpc_access_log_pb.js';
import { FileAccessLogSchema } from '#gen/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { ExpressionFilterSchema } from '#gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js';
import { OpenTelemetryConfigSchema } from '#gen/envoy/config/trace/v3/opentelemetry_pb.js';
import { ZipkinConfigSchema } from '#gen/gatehouse/envoy/v3/zipkin_pb.js';
import { OpenTelemetryAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/open_telemetry_log_pb.js';
import { UuidRequestIdConfigSchema } from '#gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js';
import { ActionSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { StderrAccessLogSchema, StdoutAccessLogSchema } from '#gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { ClusterConfigSchema as DynamicClusterSchema } from '#gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js';
import { FilterConfigSchema as HttpForwardSchema } from '#gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js';
import { FilterConfigSchema as SniForwardSchema } from '#gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js';
import { CorsPolicySchema, CorsSchema } from '#gen/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import { ExtAuthzSchema } from '#gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
import { HTTPFaultSchema } from '#gen/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import { OnDemandSchema } from '#gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js';
import { RBACPerRouteSchema, RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '#gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js';
import { CookieBasedSessionStateSchema } from '#gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js';
import { HeaderBasedSessionStateSchema } from '#gen/envoy/extensions/http/stateful_session/header/v3/header_pb.js';
import { RouterSchema } from '#gen/envoy/extensions/filters/http/router/v3/router_pb.js';
import { ConfigSchema as SetFilterStateSchema } from '#gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import { HttpInspectorSchema } from '#gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { OriginalDstSchema } from '#gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import { TlsInspectorSchema } from '#gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { ExtAuthzSchema as TcpExtAuthzSchema } from '#gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import {
  DestinationPortInputSchema,
  FilterStateInputSchema,
} from '#gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js';
import { PreviousHostsPredicateSchema } from '#gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import { PreviousPrioritiesConfigSchema } from '#gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import { ProxyProtocolSchema } from '#gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js';
import { ProxyProtocolUpstreamTransportSchema } from '#gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import { RawBufferSchema } from '#gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import { DownstreamTlsContextSchema, UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import { HttpRequestHeaderMatchInputSchema } from '#gen/envoy/type/matcher/v3/http_inputs_pb.js';
import { LocalRateLimitSchema } from '#gen/gatehouse/envoy/v3/local_rate_limit_pb.js';
import { ConfigSchema as NetworkSetFilterStateSchema } from '#gen/gatehouse/envoy/v3/network_set_filter_state_pb.js';

/** Every message that may stand in an Any of a proxy's configuration: needed to read or print it as JSON. */
export const EXTENSIONS: Registry = createRegistry(
  ActionSchema,
  CookieBasedSessionStateSchema,
  CorsPolicySchema,
  CorsSchema,
  DestinationPortInputSchema,
  DynamicClusterSchema,
  DownstreamTlsContextSchema,
  ExpressionFilterSchema,
  FileAccessLogSchema,
  FilterStateInputSchema,
  HeaderBasedSessionStateSchema,
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
  ExtAuthzSchema,
  HTTPFaultSchema,
  HeaderMutationSchema,
  HttpConnectionManagerSchema,
  HttpForwardSchema,
  HttpGrpcAccessLogConfigSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  HttpRbacSchema,
  HttpRequestHeaderMatchInputSchema,
  JwtAuthenticationSchema,
  LocalRateLimitSchema,
  NetworkSetFilterStateSchema,
  OpenTelemetryConfigSchema,
  OriginalDstSchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  ProxyProtocolSchema,
  SniForwardSchema,
  ProxyProtocolUpstreamTransportSchema,
  RawBufferSchema,
  RBACPerRouteSchema,
  RouterSchema,
  SetFilterStateSchema,
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
  StringValueSchema,
  StructSchema,
  TcpExtAuthzSchema,
  TcpGrpcAccessLogConfigSchema,
  TcpProxySchema,
  TcpRbacSchema,
  TlsInspectorSchema,
  UpstreamTlsContextSchema,
  UuidRequestIdConfigSchema,
  OnDemandSchema,
  OpenTelemetryAccessLogConfigSchema,
  ZipkinConfigSchema,
);
