import type { JsonValue } from '@bufbuild/protobuf';

const MOST_CONNECTIONS = 100_000;

/**
 * A bound on the connections that clients can make one proxy hold (envoy.config.overload.v3.OverloadManager, as JSON:
 * the monitor's own message is not among the generated ones).
 */
export const OVERLOAD: JsonValue = {
  resourceMonitors: [
    {
      name: 'envoy.resource_monitors.global_downstream_max_connections',
      typedConfig: {
        '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
        maxActiveDownstreamConnections: String(MOST_CONNECTIONS),
      },
    },
  ],
};
