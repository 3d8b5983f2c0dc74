import { type Field, fieldsOf } from './field.ts';
import { integer } from './scalar.ts';

/** More proxies than that in a row are a mistake; Envoy would read as many entries of X-Forwarded-For for each request. */
const MOST_PROXIES = 100;

const APPLIED: Readonly<Record<'mesh' | 'pod', ReadonlySet<string>>> = Object.freeze({
  // The last two by injection.
  mesh: new Set(['gatewayTopology', 'tracing', 'proxyHeaders', 'discoveryAddress', 'statusPort']),
  pod: new Set(['gatewayTopology', 'tracing']),
});

export interface GatewayTopology {
  /** How many proxies in front of a gateway are trusted to tell the caller's address in X-Forwarded-For. */
  readonly numTrustedProxies: number | undefined;
  /** Load balancers in front say who called before the first byte; connections without that are refused. */
  readonly proxyProtocol: boolean;
}

/**
 * `gatewayTopology` of Istio's ProxyConfig: of the mesh configuration (`defaultConfig`), or of one pod, where the PROXY protocol is not taken.
 * Other fields of ProxyConfig have no effect yet.
 */
export function gatewayTopology(proxyConfig: Field, of: 'mesh' | 'pod'): GatewayTopology {
  const fields = fieldsOf(proxyConfig, ['gatewayTopology'], 'tolerant');
  const topology = fieldsOf(fields.gatewayTopology, ['numTrustedProxies', 'forwardClientCertDetails', 'proxyProtocol']);
  const refused = of === 'mesh' ? [] : [topology.proxyProtocol];
  for (const one of [topology.forwardClientCertDetails, ...refused]) {
    if (one.given) one.error('not-supported', 'is not supported yet', 'remove it; what gateways tell of callers would be wrong');
  }
  const others = proxyConfig.node?.kind === 'map' && [...proxyConfig.node.entries.keys()].some((name) => !APPLIED[of].has(name));
  if (others) {
    proxyConfig.warning(
      'not-yet-applied',
      `only ${[...APPLIED[of]].join(', ')} are applied yet`,
      'the rest of the mesh configuration is in effect',
    );
  }
  fieldsOf(topology.proxyProtocol, []);
  return {
    numTrustedProxies: integer(topology.numTrustedProxies, 0, MOST_PROXIES),
    proxyProtocol: topology.proxyProtocol.given,
  };
}
