import { create } from '@bufbuild/protobuf';
import { type ListenerFilter, ListenerFilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpInspectorSchema } from '#gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { OriginalDstSchema } from '#gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import { TlsInspectorSchema } from '#gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import { ProxyProtocolSchema } from '#gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js';
import { typedConfig } from '../wire/any.ts';

/**
 * How long the first bytes are waited for. After that the connection counts as plain text without HTTP, which only chains
 * that accept plain text take: a server that speaks first is slow to begin, and nothing opens.
 */
export const INSPECTION_MS = 2_000;

/** Where iptables took the connection from becomes its local address. */
export function originalDestinationFilter(): ListenerFilter {
  return create(ListenerFilterSchema, {
    name: 'envoy.filters.listener.original_dst',
    configType: typedConfig(OriginalDstSchema, {}),
  });
}

/** Tells TLS from plain text, and which protocols a TLS client offers. */
export function tlsInspector(): ListenerFilter {
  return create(ListenerFilterSchema, {
    name: 'envoy.filters.listener.tls_inspector',
    configType: typedConfig(TlsInspectorSchema, {}),
  });
}

/** Tells HTTP from other plain text. */
export function httpInspector(): ListenerFilter {
  return create(ListenerFilterSchema, {
    name: 'envoy.filters.listener.http_inspector',
    configType: typedConfig(HttpInspectorSchema, {}),
  });
}

/** What the HTTP inspector calls what it finds. */
export const PLAIN_HTTP: readonly string[] = Object.freeze(['http/1.0', 'http/1.1', 'h2c']);

/** Reads who called from what a load balancer sends before the first byte; a connection without it is closed. */
export function proxyProtocol(): ListenerFilter {
  return create(ListenerFilterSchema, {
    name: 'envoy.filters.listener.proxy_protocol',
    configType: typedConfig(ProxyProtocolSchema, {}),
  });
}
