import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import type { DestinationRule, Subset, TrafficPolicy } from '../../mesh/model/destination-rule.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import { type Scope, visibleFrom } from '../scope.ts';

/** A traffic policy with its port levels resolved. */
export type PortPolicy = Omit<TrafficPolicy, 'portLevel'>;

/** What the DestinationRules of one host say together. */
export interface DestinationPolicy {
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}

const NONE: PortPolicy = Object.freeze({
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
});

/** The most specific host among `rules` over `host`: itself, else the longest wildcard. */
function closest(rules: readonly DestinationRule[], host: Hostname): Hostname | undefined {
  let best: Hostname | undefined;
  for (const { host: pattern } of rules) {
    if (pattern === host) return pattern;
    if (covers(pattern, host) && (best === undefined || pattern.length > best.length)) best = pattern;
  }
  return best;
}

/**
 * The DestinationRules that hold for a service as this proxy sees it: of the proxy's namespace, else of the service's, else of
 * the root namespace. Several for the same host are read as one: the first traffic policy, and each subset once.
 */
export function destinationPolicy(scope: Scope, service: Service): DestinationPolicy {
  const { snapshot, proxy } = scope;
  const own = proxy.workload.namespace;
  for (const namespace of new Set([own, service.meta.namespace, snapshot.meshConfig.rootNamespace])) {
    const rules = snapshot.destinationRules.filter(
      (rule) => rule.meta.namespace === namespace && (namespace === own || visibleFrom(rule.exportTo, namespace, own)),
    );
    const host = closest(rules, service.hostname);
    if (host === undefined) continue;
    const chosen = rules.filter((rule) => rule.host === host);
    const subsets = new Map<string, Subset>();
    for (const subset of chosen.flatMap((rule) => rule.subsets)) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
    return {
      trafficPolicy: chosen.find((rule) => rule.trafficPolicy !== undefined)?.trafficPolicy,
      subsets: [...subsets.values()],
    };
  }
  return { trafficPolicy: undefined, subsets: [] };
}

/** A port level replaces the whole policy for its port: fields it omits fall back to the defaults, not to the level above. */
function forPort(policy: TrafficPolicy, port: Port): PortPolicy {
  return policy.portLevel.get(port) ?? policy;
}

/** The policy of one port of a host, or of one of its subsets: each field of the subset's replaces that of the host's. */
export function portPolicy(destination: DestinationPolicy, subset: Subset | undefined, port: Port): PortPolicy {
  const base = destination.trafficPolicy === undefined ? NONE : forPort(destination.trafficPolicy, port);
  const over = subset?.trafficPolicy;
  if (over === undefined) return base;
  const exact = over.portLevel.get(port);
  if (exact !== undefined) return exact;
  return {
    loadBalancer: over.loadBalancer ?? base.loadBalancer,
    connectionPool: over.connectionPool ?? base.connectionPool,
    outlierDetection: over.outlierDetection ?? base.outlierDetection,
    tls: over.tls ?? base.tls,
  };
}
