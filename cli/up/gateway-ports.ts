import type { Gateway } from '../../mesh/model/gateway.ts';

export interface GatewayPort {
  /** As Gateways name it. */
  readonly port: number;
  /** What is bound on this machine. */
  readonly bound: number;
}

/**
 * Which port of this machine stands for each port that Gateways name. 80 (or the lowest, where none names 80) is the
 * gateway's port; others are bound as they are, privileged ones 8000 higher, as Istio's own gateway does (443 -> 8443).
 * @param free gives an unused port, for one that is taken; asked for all but the first when the gateway's port was chosen freely
 */
export function gatewayPorts(
  gateways: readonly Gateway[],
  gatewayPort: number,
  known: ReadonlyMap<number, number>,
  free: ((wanted: number) => number) | undefined,
): readonly GatewayPort[] {
  const named = [...new Set(gateways.flatMap((gateway) => gateway.servers.map((server): number => server.port)))].sort(
    (a, b) => a - b,
  );
  const first = named.includes(80) ? 80 : (named[0] ?? 80);
  const taken = new Set([gatewayPort]);
  const ports: GatewayPort[] = [{ port: first, bound: gatewayPort }];
  for (const port of named) {
    if (port === first) continue;
    const usual = port < 1024 ? port + 8000 : port;
    let bound = known.get(port) ?? (free === undefined ? usual : free(usual));
    while (taken.has(bound)) bound++;
    taken.add(bound);
    ports.push({ port, bound });
  }
  return ports;
}
