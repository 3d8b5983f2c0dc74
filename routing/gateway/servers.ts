import type { Gateway, GatewayServer } from '../../mesh/model/gateway.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';
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

/** Label of a Service by which a gateway does not listen where it sends to. */
const AS_WRITTEN = 'experimental.istio.io/disable-gateway-port-translation';

/** The port that the gateway pod itself listens on for a server's port: where its Service sends it, else the same. */
function bindPort(scope: Scope, port: Port): Port {
  const { workload } = scope.proxy;
  for (const service of servicesOf(scope.snapshot, workload)) {
    if (service.meta.labels[AS_WRITTEN] === 'true') continue;
    const mapped = service.ports.find((candidate) => candidate.port === port);
    const target = mapped === undefined ? undefined : containerPort(workload, mapped.targetPort);
    if (target !== undefined) return target;
  }
  return port;
}

/** Where a gateway listens, and what for. */
export interface BoundPort {
  readonly address: string;
  readonly port: Port;
  /** Oldest Gateway first. */
  readonly served: readonly Served[];
}

/**
 * The Gateways that select this proxy. One that was made for a Gateway of the Gateway API belongs to that one's namespace: a Gateway of
 * Istio's kind in another cannot open ports there by selecting its labels (Istio's `PILOT_ENABLE_STRICT_GATEWAY_MERGING`).
 */
export function gatewaysOf({ snapshot, proxy: { workload, instance } }: Pick<Scope, 'snapshot' | 'proxy'>): readonly Gateway[] {
  const all = snapshot.gateways.filter(
    ({ selector, podNamespace }) =>
      selects(selector, instance.labels) && (podNamespace === undefined || podNamespace === workload.namespace),
  );
  const made = all.some(({ selector, podNamespace }) => podNamespace !== undefined && GATEWAY_NAME_LABEL in selector);
  return made ? all.filter(({ podNamespace, meta }) => podNamespace !== undefined || meta.namespace === workload.namespace) : all;
}

/** The servers of all Gateways that select this proxy, by the address and port that are bound. Those that ask for what is not there are left out. */
export function boundPorts(scope: Scope): readonly BoundPort[] {
  const { bindAddress } = scope.proxy.instance;
  const bound = new Map<string, { readonly address: string; readonly port: Port; readonly served: Served[] }>();
  for (const gateway of gatewaysOf(scope)) {
    for (const server of gateway.servers) {
      if (server.tls.kind === 'unavailable') continue;
      const address = server.bind ?? bindAddress;
      const port = bindPort(scope, server.port);
      const entry = bound.get(`${address} ${port}`) ?? { address, port, served: [] };
      bound.set(`${address} ${port}`, entry);
      entry.served.push({ gateway, name: `${gateway.meta.namespace}/${gateway.meta.name}`, server });
    }
  }
  return [...bound.values()].map(ofOneKind).sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

/** Bytes without TLS are HTTP or they are not: the first such server of a port decides, and those of the other kind are left out. */
function ofOneKind({ address, port, served }: BoundPort): BoundPort {
  const [first] = served.filter(isPlain);
  if (first === undefined) return { address, port, served };
  return { address, port, served: served.filter((one) => !isPlain(one) || isPlainHttp(one) === isPlainHttp(first)) };
}

function isPlain({ server }: Served): boolean {
  return server.tls.kind === 'none';
}

/** HTTP without TLS: such servers of one port share their routes. */
export function isPlainHttp({ server }: Served): boolean {
  return server.protocol === 'HTTP' || server.protocol === 'HTTP2' || server.protocol === 'GRPC';
}
