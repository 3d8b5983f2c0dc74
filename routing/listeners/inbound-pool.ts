import type { ConnectionPool } from '../../mesh/model/destination-rule.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import { containerPort } from '../../mesh/model/workload.ts';
import { rulesFor } from '../clusters/rules.ts';
import { destinationPolicy, portPolicy } from '../clusters/traffic-policy.ts';
import type { Scope } from '../scope.ts';
import { servicesOf } from './inbound-ports.ts';

/** What the application speaks is what its port declares, whatever callers' proxies do between each other. */
function withoutUpgrades(pool: ConnectionPool): ConnectionPool {
  return { ...pool, upgradeToHttp2: undefined, useClientProtocol: false };
}

/** The oldest Service that brings traffic to a port of the workload, and by which port of its own. */
function bringing({ snapshot, proxy: { workload } }: Scope, port: Port): { service: Service; port: Port } | undefined {
  for (const service of servicesOf(snapshot, workload)) {
    const own = service.ports.find(({ name, targetPort, protocol }) => {
      if (protocol === 'udp') return false;
      if (service.selector !== undefined) return containerPort(workload, targetPort) === port;
      return service.sliced?.some(({ ports }) => ports[name] === port) ?? false;
    });
    if (own !== undefined) return { service, port: own.port };
  }
  return undefined;
}

/**
 * Limits of the connections to the own application: those of the Sidecar's listener, else of the Sidecar, else of the DestinationRule for the
 * Service (as Istio: what callers may send, the application's proxy must be able to take). Rules that choose their callers are for callers.
 */
export function inboundPool(scope: Scope, port: Port): ConnectionPool | undefined {
  const { snapshot, view, proxy, sidecar } = scope;
  const own = sidecar?.ingress.find((one) => one.port === port)?.connectionPool;
  const said = own ?? sidecar?.inboundConnectionPool;
  if (said !== undefined) return withoutUpgrades(said);
  if (snapshot.destinationRules.length === 0) return undefined;
  const from = bringing(scope, port);
  if (from === undefined) return undefined;
  const rules = rulesFor(snapshot, from.service, view.namespace, proxy.instance.labels);
  const forAll = rules.filter(({ workloadSelector }) => workloadSelector === undefined);
  const found = portPolicy(destinationPolicy(forAll), undefined, from.port).connectionPool;
  return found === undefined ? undefined : withoutUpgrades(found);
}
