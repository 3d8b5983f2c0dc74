import { type DeployedGateway, deployedGateways } from '../../mesh/gateway-api/deployed.ts';
import type { Gateway } from '../../mesh/model/gateway.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';

export interface GatewayPort {
  /** As Gateways name it. */
  readonly port: number;
  /** What is bound on this machine. */
  readonly bound: number;
}

/** A gateway that `up` starts of its own: the ingress gateway of Istio's Gateways (undefined), or one of the Gateway API. */
export interface StartedGateway {
  readonly of: DeployedGateway | undefined;
  readonly ports: readonly GatewayPort[];
}

function belongsTo({ selector, podNamespace }: Gateway, { gateway: { meta } }: DeployedGateway): boolean {
  return selector[GATEWAY_NAME_LABEL] === meta.name && podNamespace === meta.namespace;
}

const named = (gateways: readonly Gateway[]): readonly number[] =>
  [...new Set(gateways.flatMap((gateway) => gateway.servers.map((server): number => server.port)))].sort((a, b) => a - b);

const keyOf = (of: DeployedGateway | undefined, port: number) =>
  of === undefined ? `${port}` : `${of.gateway.meta.namespace}/${of.name} ${port}`;

/**
 * Which port of this machine stands for each port that Gateways name. 80 (or the lowest, where none names 80) of the ingress
 * gateway, or where no Gateway of Istio's is there of the first one of the Gateway API, is the gateway's port; others are
 * bound as they are, privileged ones 8000 higher, as Istio's own gateway does (443 -> 8443).
 * @param before what stood for them so far stays
 * @param free gives an unused port, for one that is taken; asked for all but the first when the gateway's port was chosen freely
 */
export function startedGateways(
  snapshot: Snapshot,
  gatewayPort: number,
  before: readonly StartedGateway[],
  free: ((wanted: number) => number) | undefined,
): readonly StartedGateway[] {
  const deployed = deployedGateways(snapshot);
  const ingress = named(snapshot.gateways.filter((one) => deployed.every((of) => !belongsTo(one, of))));
  const groups: { readonly of: DeployedGateway | undefined; readonly wanted: readonly number[] }[] = [
    { of: undefined, wanted: ingress },
    ...deployed.map((of) => ({ of, wanted: named(snapshot.gateways.filter((one) => belongsTo(one, of))) })),
  ];
  const known = new Map(before.flatMap(({ of, ports }) => ports.map(({ port, bound }) => [keyOf(of, port), bound] as const)));
  const taken = new Set([gatewayPort]);
  const main = groups.find(({ wanted }) => wanted.length > 0) ?? groups[0];
  return groups.map((group) => {
    const { of, wanted } = group;
    const first = group === main ? (wanted.includes(80) ? 80 : (wanted[0] ?? 80)) : undefined;
    const others = wanted
      .filter((port) => port !== first)
      .map((port) => {
        const usual = port < 1024 ? port + 8000 : port;
        let bound = known.get(keyOf(of, port)) ?? usual;
        if (!known.has(keyOf(of, port)) && free !== undefined) bound = free(usual);
        while (taken.has(bound)) bound++;
        taken.add(bound);
        return { port, bound };
      });
    return { of, ports: first === undefined ? others : [{ port: first, bound: gatewayPort }, ...others] };
  });
}
