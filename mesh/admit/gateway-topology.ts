import { type Field, fieldsOf } from './field.ts';
import { integer } from './scalar.ts';

/** More proxies than that in a row are a mistake; Envoy would read as many entries of X-Forwarded-For for each request. */
const MOST_PROXIES = 100;

/**
 * `gatewayTopology` of Istio's ProxyConfig (`defaultConfig` of the mesh configuration): how many proxies in front of a
 * gateway are trusted to tell the caller's address in X-Forwarded-For. Other fields of ProxyConfig have no effect yet.
 */
export function numTrustedProxies(proxyConfig: Field): number | undefined {
  const fields = fieldsOf(proxyConfig, ['gatewayTopology'], 'tolerant');
  const topology = fieldsOf(fields.gatewayTopology, ['numTrustedProxies', 'forwardClientCertDetails', 'proxyProtocol']);
  for (const one of [topology.forwardClientCertDetails, topology.proxyProtocol]) {
    if (one.given) one.error('not-supported', 'is not supported yet', 'remove it; what gateways tell of callers would be wrong');
  }
  const others =
    proxyConfig.node?.kind === 'map' &&
    [...proxyConfig.node.entries.keys()].some((name) => name !== 'gatewayTopology' && name !== 'tracing');
  if (others) {
    proxyConfig.warning(
      'not-yet-applied',
      'only gatewayTopology and tracing are applied yet',
      'the rest of the mesh configuration is in effect',
    );
  }
  return integer(topology.numTrustedProxies, 0, MOST_PROXIES);
}
