import type { HttpFilter } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { ConfigSchema } from '#gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import { FilterStateValue_SharedWithUpstream } from '#gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js';
import type { View } from '../view.ts';
import { typedConfig } from '../wire/any.ts';
import { httpFilter } from './http.ts';

/** Envoy's name for the application protocols that a TLS client offers instead of the cluster's own. */
const OFFERED = 'envoy.network.application_protocols';
const HTTP_INSIDE = 'istio-http/1.1';

/**
 * Toward a port that declares no protocol, one cluster carries HTTP and other bytes, and inside of TLS the server cannot
 * sniff. So where a namespace sees such ports, its proxies say in the handshake that there is HTTP inside.
 */
export function httpInside(view: View): readonly HttpFilter[] {
  if (!view.sniffs) return [];
  const config = typedConfig(ConfigSchema, {
    onRequestHeaders: [
      {
        key: { case: 'objectKey', value: OFFERED },
        value: {
          case: 'formatString',
          value: { format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: HTTP_INSIDE } } } },
        },
        sharedWithUpstream: FilterStateValue_SharedWithUpstream.ONCE,
      },
    ],
  });
  return [httpFilter('gatehouse.http-inside', config)];
}
