import type { Diagnostic } from '../../model/diagnostic.ts';
import { covers, type Hostname, parseHostname } from '../../model/hostname.ts';
import { itemsAt, textAt, textsAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { finding, type Inventory, some } from './inventory.ts';

interface Accepted {
  /** `*` any, else the one namespace. */
  readonly namespace: string;
  readonly host: Hostname;
}

function istioHosts(gateway: Written): readonly Accepted[] {
  return itemsAt(gateway.node, 'spec', 'servers').flatMap((server) =>
    textsAt(server, 'hosts').flatMap((written) => {
      const slash = written.indexOf('/');
      const scope = slash < 0 ? '*' : written.slice(0, slash);
      const host = parseHostname(written.slice(slash + 1));
      return host === undefined ? [] : [{ namespace: scope === '.' ? gateway.namespace : scope, host }];
    }),
  );
}

/** A listener without a host name takes all; who may attach is decided by routes of the Gateway API, not here. */
function apiHosts(gateway: Written): readonly Accepted[] {
  return itemsAt(gateway.node, 'spec', 'listeners').flatMap((listener) => {
    const written = textAt(listener, 'hostname');
    const host = parseHostname(written === '' ? '*' : written);
    return host === undefined ? [] : [{ namespace: '*', host }];
  });
}

/**
 * VirtualServices bound to a Gateway that accepts none of their hosts. (A host that no gateway of its VirtualService
 * accepts is found with the references.)
 */
export function gatewayHosts(inventory: Inventory): readonly Diagnostic[] {
  const gateways = new Map<string, readonly Accepted[]>([
    ...inventory.gatewayApi('Gateway').map((one) => [`${one.namespace}/${one.name}`, apiHosts(one)] as const),
    ...inventory.istio('Gateway').map((one) => [`${one.namespace}/${one.name}`, istioHosts(one)] as const),
  ]);
  return inventory.istio('VirtualService').flatMap((service) => {
    const hosts = textsAt(service.node, 'spec', 'hosts').flatMap((written) => parseHostname(written) ?? []);
    const bound = textsAt(service.node, 'spec', 'gateways');
    // Hosts of sidecars need not be a gateway's.
    if (hosts.length === 0 || bound.includes('mesh')) return [];
    return bound.flatMap((written, at) => {
      const name = written.includes('/') ? written : `${service.namespace}/${written}`;
      const accepted = gateways.get(name);
      if (accepted === undefined) return [];
      const open = accepted.filter(({ namespace }) => namespace === '*' || namespace === service.namespace);
      if (open.some(({ host }) => hosts.some((own) => covers(host, own) || covers(own, host)))) return [];
      return [
        finding(
          service,
          `spec.gateways[${at}]`,
          'warning',
          'host-not-in-gateway',
          `Gateway ${shorten(name)} accepts none of ${some(hosts)} from namespace ${service.namespace}; requests there are answered with 404`,
          `it accepts ${some(open.map(({ host }) => host)) || 'no host of this namespace'}`,
        ),
      ];
    });
  });
}
