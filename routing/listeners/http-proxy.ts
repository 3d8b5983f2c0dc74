import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { Protocol } from '../../mesh/model/port.ts';
import { BLACK_HOLE, HTTP_PROXY, OUTBOUND_CAPTURE_PORT } from '../names.ts';
import { proxyTable, tableRoutes } from '../routes/sidecar.ts';
import type { Service } from '../../mesh/model/service.ts';
import { uninterrupted } from '../interruptible.ts';
import type { Scope } from '../scope.ts';
import { portsTaken } from './inbound-ports.ts';
import type { Outbound } from './outbound.ts';
import { sharedOutbound } from './shared.ts';
import { outboundHttp, outboundListener, outboundTcp } from './outbound-chains.ts';
import { serverNameChains, serviceChains } from './service-chains.ts';

function carriesBytes(protocol: Protocol): boolean {
  return protocol === 'tcp' || protocol === 'tls' || protocol === 'https';
}

const known = new WeakMap<readonly Service[], readonly Service[]>();

/** Those of which some port carries bytes. */
function carrying(services: readonly Service[]): readonly Service[] {
  const before = known.get(services);
  if (before !== undefined) return before;
  const made = services.filter(({ ports }) => ports.some(({ protocol }) => carriesBytes(protocol)));
  known.set(services, made);
  return made;
}

/**
 * TCP services at the application's own address, on the service's port. Without capture the address tells nothing, so of
 * several services on one port the first has it; ports where the application itself listens are left alone.
 */
function tcpListeners(scope: Scope, address: string): Listener[] {
  const taken = new Set<number>([OUTBOUND_CAPTURE_PORT, ...portsTaken(scope).map(({ port }) => port)]);
  const listeners: Listener[] = [];
  for (const service of carrying(scope.view.services)) {
    for (const { port, protocol } of service.ports) {
      if (!carriesBytes(protocol) || taken.has(port)) continue;
      taken.add(port);
      const { chosen, rest } =
        service.resolution === 'names'
          ? // Only TLS says which name is meant.
            { chosen: serverNameChains(scope, service, port), rest: outboundTcp(BLACK_HOLE) }
          : serviceChains(scope, service, port, protocol);
      const chains = chosen.length === 0 ? { filterChains: [rest] } : { filterChains: chosen, rest };
      listeners.push(outboundListener({ name: `${address}_${port}`, address, port, captured: false, ...chains }));
    }
  }
  return listeners;
}

/** Where an application that is not captured sends HTTP and opens TCP services: its own address. */
export function explicitListeners(scope: Scope, address: string): Listener[] {
  const http = outboundListener({
    name: HTTP_PROXY,
    address,
    port: OUTBOUND_CAPTURE_PORT,
    filterChains: [outboundHttp(scope, `outbound_${HTTP_PROXY}`, HTTP_PROXY, false)],
    captured: false,
  });
  return [http, ...tcpListeners(scope, address)];
}

/**
 * Outbound traffic of an application that is not captured: it sends HTTP to a proxy (`http_proxy`) at its own address, in
 * absolute form or with the host it means, and opens TCP services at its own address.
 */
export function explicitOutbound(scope: Scope, address: string): Outbound {
  const { routes } = sharedOutbound(scope, () => ({
    listeners: [],
    routes: [tableRoutes(scope, uninterrupted(proxyTable(scope)))],
  }));
  return { listeners: explicitListeners(scope, address), routes };
}
