import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, labelsAt, nodeAt, numberAt, textAt, textsAt } from '../node-path.ts';
import { shorten, valueOf } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInGroups } from '../../model/found-in.ts';
import { finding, type Inventory, some } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';

interface Server {
  readonly gateway: Written;
  readonly at: number;
  readonly hosts: ReadonlySet<string>;
  /** Protocol and TLS as written. */
  readonly settings: string;
  /** The proxies and where they listen. */
  readonly key: string;
}

/** Hosts without the namespace that limits who may bind to them. */
function hostsOf(node: Parameters<typeof textsAt>[0]): ReadonlySet<string> {
  return new Set(textsAt(node, 'hosts').map((host) => host.slice(host.indexOf('/') + 1).toLowerCase()));
}

const serversOf = remembered((gateway: Written): readonly Server[] => {
  const selector = Object.entries(labelsAt(gateway.node, 'spec', 'selector')).sort(([a], [b]) => (a < b ? -1 : 1));
  return itemsAt(gateway.node, 'spec', 'servers').flatMap((node, at) => {
    const port = numberAt(node, 'port', 'number');
    if (port === undefined) return [];
    const tls = nodeAt(node, 'tls');
    return {
      gateway,
      at,
      hosts: hostsOf(node),
      settings: JSON.stringify([textAt(node, 'port', 'protocol').toUpperCase(), tls === undefined ? null : valueOf(tls)]),
      key: JSON.stringify([selector, port, textAt(node, 'bind')]),
    };
  });
});

const inGroups = foundInGroups<Written, Diagnostic>(
  (gateway) => serversOf(gateway).map(({ key }) => key),
  (gateways, key) => {
    if (gateways.length < 2) return [];
    const same = gateways.flatMap((gateway) => serversOf(gateway).filter((server) => server.key === key));
    const byHost = new Map<string, Server[]>();
    for (const server of same) {
      for (const host of server.hosts) {
        const having = byHost.get(host);
        if (having === undefined) byHost.set(host, [server]);
        else having.push(server);
      }
    }
    return same.flatMap((server) => conflict(server, same, byHost));
  },
);

function conflict(
  { gateway, at, hosts, settings }: Server,
  same: readonly Server[],
  byHost: ReadonlyMap<string, readonly Server[]>,
): readonly Diagnostic[] {
  const shared = [...hosts].filter((host) => byHost.get(host)?.some((other) => other.gateway !== gateway) === true);
  if (shared.length === 0) return [];
  const others = same.filter((other) => other.gateway !== gateway && shared.some((host) => other.hosts.has(host)));
  const alike = others.every((other) => other.settings === settings);
  const names = [...new Set(others.map((other) => `${other.gateway.namespace}/${other.gateway.name}`))];
  return [
    finding(
      gateway,
      `spec.servers[${at}].hosts`,
      alike ? 'info' : 'warning',
      'gateway-conflict',
      `Gateway ${some(names)} has ${some(shared.map(shorten))} on the same port of the same proxies; ${alike ? 'routes bound to either are taken together' : 'one of them decides about protocol and TLS'}`,
      'put the host into one Gateway, or give each a port or a selector of its own',
    ),
  ];
}

/** Gateways for the same proxies that have one host on one port: whose settings count there cannot be told from either. */
export function gatewayConflicts(inventory: Inventory): readonly Diagnostic[] {
  return inGroups(inventory.istio('Gateway'));
}
