import type { Gateway, GatewayServer } from '../../mesh/model/gateway.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { GatewayName } from '../../mesh/model/virtual-service.ts';
import { containerPort } from '../../mesh/model/workload.ts';
import { servicesOf } from '../listeners/inbound-ports.ts';
import type { Scope } from '../scope.ts';

/** One server of one Gateway that this proxy serves. */
export interface Served {
  readonly gateway: Gateway;
  readonly name: GatewayName;
  readonly server: GatewayServer;
}

/** Plain HTTP. Servers with TLS of their own are not served yet; they never fall back to plain text. */
function isPlainHttp(server: GatewayServer): boolean {
  return server.protocol === 'HTTP' || server.protocol === 'HTTP2' || server.protocol === 'GRPC';
}

/** The port that the gateway pod itself listens on for a server's port: where its Service sends it, else the same. */
function bindPort(scope: Scope, port: Port): Port {
  const { workload } = scope.proxy;
  for (const service of servicesOf(scope.snapshot, workload)) {
    const mapped = service.ports.find((candidate) => candidate.port === port);
    const target = mapped === undefined ? undefined : containerPort(workload, mapped.targetPort);
    if (target !== undefined) return target;
  }
  return port;
}

/** The HTTP servers of all Gateways that select this proxy, by the port that is bound, oldest Gateway first. */
export function httpServers(scope: Scope): ReadonlyMap<Port, readonly Served[]> {
  const { labels } = scope.proxy.instance;
  const served = scope.snapshot.gateways
    .filter((gateway) => selects(gateway.selector, labels))
    .flatMap((gateway) =>
      gateway.servers
        .filter(isPlainHttp)
        .map((server) => ({ gateway, name: `${gateway.meta.namespace}/${gateway.meta.name}`, server })),
    );
  const byPort = Map.groupBy(served, ({ server }) => bindPort(scope, server.port));
  return new Map([...byPort].sort(([a], [b]) => a - b));
}
