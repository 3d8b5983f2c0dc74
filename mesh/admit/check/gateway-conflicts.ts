import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, labelsAt, nodeAt, numberAt, textAt, textsAt } from '../node-path.ts';
import { shorten, valueOf } from '../node.ts';
import type { Written } from '../written.ts';
import { finding, type Inventory, some } from './inventory.ts';

interface Server {
  readonly gateway: Written;
  readonly at: number;
  readonly hosts: ReadonlySet<string>;
  /** Protocol and TLS as written. */
  readonly settings: string;
}

/** Hosts without the namespace that limits who may bind to them. */
function hostsOf(node: Parameters<typeof textsAt>[0]): ReadonlySet<string> {
  return new Set(textsAt(node, 'hosts').map((host) => host.slice(host.indexOf('/') + 1).toLowerCase()));
}

/** Gateways for the same proxies that have one host on one port: whose settings count there cannot be told from either. */
export function gatewayConflicts(inventory: Inventory): readonly Diagnostic[] {
  const servers = new Map<string, Server[]>();
  for (const gateway of inventory.istio('Gateway')) {
    const selector = Object.entries(labelsAt(gateway.node, 'spec', 'selector')).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [at, node] of itemsAt(gateway.node, 'spec', 'servers').entries()) {
      const port = numberAt(node, 'port', 'number');
      if (port === undefined) continue;
      const key = JSON.stringify([selector, port, textAt(node, 'bind')]);
      const same = servers.get(key) ?? [];
      const tls = nodeAt(node, 'tls');
      const settings = JSON.stringify([textAt(node, 'port', 'protocol').toUpperCase(), tls === undefined ? null : valueOf(tls)]);
      same.push({ gateway, at, hosts: hostsOf(node), settings });
      servers.set(key, same);
    }
  }
  return [...servers.values()].flatMap((same) => {
    if (same.length < 2) return [];
    return same.flatMap(({ gateway, at, hosts, settings }) => {
      const others = same.filter((other) => other.gateway !== gateway && [...hosts].some((host) => other.hosts.has(host)));
      const [first] = others;
      if (first === undefined) return [];
      const shared = [...hosts].filter((host) => others.some((other) => other.hosts.has(host)));
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
    });
  });
}
