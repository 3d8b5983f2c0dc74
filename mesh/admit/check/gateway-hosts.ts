import type { Diagnostic } from '../../model/diagnostic.ts';
import { covers, type Hostname, parseHostname } from '../../model/hostname.ts';
import { itemsAt, textAt, textsAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { familyOf } from '../written-objects.ts';
import { foundInEach } from '../../model/found-in.ts';
import { byName, finding, type Inventory, some } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';

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

interface Bound {
  readonly service: Written;
  readonly hosts: readonly Hostname[];
  /** Names of Gateways, as written. */
  readonly gateways: readonly string[];
}

/** VirtualServices of gateways alone: hosts of sidecars need not be a gateway's. */
const boundOf = foundInEach<Written, Bound>((service) => {
  const hosts = textsAt(service.node, 'spec', 'hosts').flatMap((written) => parseHostname(written) ?? []);
  const gateways = textsAt(service.node, 'spec', 'gateways');
  return hosts.length === 0 || gateways.length === 0 || gateways.includes('mesh') ? [] : [{ service, hosts, gateways }];
});

const acceptedBy = remembered((gateway: Written): readonly Accepted[] =>
  familyOf(gateway.group) === 'istio' ? istioHosts(gateway) : apiHosts(gateway),
);

function notAccepted({ service, hosts }: Bound, at: number, name: string, gateway: Written): readonly Diagnostic[] {
  const open = acceptedBy(gateway).filter(({ namespace }) => namespace === '*' || namespace === service.namespace);
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
}

/** By what is bound, the gateway, and the place in which it is named. */
const compared = remembered(
  (_bound: Bound) => new Map<number, { readonly gateway: Written; readonly found: readonly Diagnostic[] }>(),
);

/**
 * VirtualServices bound to a Gateway that accepts none of their hosts. (A host that no gateway of its VirtualService
 * accepts is found with the references.)
 */
export function gatewayHosts(inventory: Inventory): readonly Diagnostic[] {
  const bound = boundOf(inventory.istio('VirtualService'));
  if (bound.length === 0) return [];
  const [istio, api] = [inventory.istio('Gateway'), inventory.gatewayApi('Gateway')];
  return bound.flatMap((one) =>
    one.gateways.flatMap((written, at) => {
      const name = written.includes('/') ? written : `${one.service.namespace}/${written}`;
      const gateway = byName(istio, name)[0] ?? byName(api, name)[0];
      if (gateway === undefined) return [];
      const before = compared(one).get(at);
      if (before?.gateway === gateway) return before.found;
      const found = notAccepted(one, at, name, gateway);
      compared(one).set(at, { gateway, found });
      return found;
    }),
  );
}
