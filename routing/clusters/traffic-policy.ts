import type { ClientTls, DestinationRule, Subset, TrafficPolicy } from '../../mesh/model/destination-rule.ts';
import type { Port } from '../../mesh/model/port.ts';

/** A traffic policy with its port levels resolved. */
export type PortPolicy = Omit<TrafficPolicy, 'portLevel'>;

/** What the DestinationRules of one host say together. */
export interface DestinationPolicy {
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Policies whose TLS is in force for whatever they name. */
  readonly demanded: readonly TrafficPolicy[];
}

const NONE: PortPolicy = Object.freeze({
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
  tunnel: undefined,
  proxyProtocol: undefined,
  retryBudget: undefined,
});

/** What several DestinationRules for one host say, read as one: the first traffic policy, and each subset once. */
export function destinationPolicy(rules: readonly DestinationRule[]): DestinationPolicy {
  const subsets = new Map<string, Subset>();
  const held = rules.filter(({ demandsTls }) => demandsTls !== true);
  for (const subset of held.flatMap((rule) => rule.subsets)) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  return {
    trafficPolicy: held.find((rule) => rule.trafficPolicy !== undefined)?.trafficPolicy,
    subsets: [...subsets.values()],
    demanded: rules.flatMap(({ demandsTls, trafficPolicy }) => (demandsTls === true ? (trafficPolicy ?? []) : [])),
  };
}

/** The TLS that must be used on a port: what names the port goes before what names the whole Service (Gateway API, GEP-1897). */
function demandedTls({ demanded }: DestinationPolicy, port: Port): ClientTls | undefined {
  const named = demanded.find(({ portLevel }) => portLevel.has(port))?.portLevel.get(port)?.tls;
  return named ?? demanded.find(({ tls }) => tls !== undefined)?.tls;
}

/** A port level replaces the whole policy for its port: fields it omits fall back to the defaults, not to the level above. */
function forPort(policy: TrafficPolicy, port: Port): PortPolicy {
  const level = policy.portLevel.get(port);
  if (level === undefined) return policy;
  // These three have no port level: the host's hold for each of its ports.
  const { tunnel, proxyProtocol, retryBudget } = policy;
  return { ...level, tunnel, proxyProtocol, retryBudget };
}

/** The policy of one port of a host, or of one of its subsets, with the TLS that is demanded there. */
export function portPolicy(destination: DestinationPolicy, subset: Subset | undefined, port: Port): PortPolicy {
  const written = writtenPolicy(destination, subset, port);
  const tls = demandedTls(destination, port);
  return tls === undefined ? written : { ...written, tls };
}

/** Each field of the subset's replaces that of the host's. */
function writtenPolicy(destination: DestinationPolicy, subset: Subset | undefined, port: Port): PortPolicy {
  const base = destination.trafficPolicy === undefined ? NONE : forPort(destination.trafficPolicy, port);
  const over = subset?.trafficPolicy;
  if (over === undefined) return base;
  const exact = over.portLevel.get(port);
  if (exact !== undefined) return forPort(over, port);
  return {
    loadBalancer: over.loadBalancer ?? base.loadBalancer,
    connectionPool: over.connectionPool ?? base.connectionPool,
    outlierDetection: over.outlierDetection ?? base.outlierDetection,
    tls: over.tls ?? base.tls,
    tunnel: over.tunnel ?? base.tunnel,
    proxyProtocol: over.proxyProtocol ?? base.proxyProtocol,
    retryBudget: over.retryBudget ?? base.retryBudget,
  };
}
