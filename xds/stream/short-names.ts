import type { TypeUrl } from '../resource-set.ts';

/** What Envoy's documentation calls the discovery of each type; people and metrics know them by these. */
export const SHORT_NAMES: Readonly<Record<TypeUrl, string>> = Object.freeze({
  'type.googleapis.com/envoy.config.cluster.v3.Cluster': 'CDS',
  'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment': 'EDS',
  'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig': 'ECDS',
  'type.googleapis.com/envoy.config.listener.v3.Listener': 'LDS',
  'type.googleapis.com/envoy.config.route.v3.RouteConfiguration': 'RDS',
  'type.googleapis.com/envoy.config.route.v3.VirtualHost': 'VHDS',
  'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret': 'SDS',
});
