import type { Diagnostic } from '../../model/diagnostic.ts';
import { indexedBy } from '../../model/indexed-by.ts';
import { selects } from '../../model/object.ts';
import type { Service } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';
import { itemsAt, labelsAt, numberAt } from '../node-path.ts';
import { compareMeta } from '../store/order.ts';
import { finding, type Inventory, isInstalledGateway, some } from './inventory.ts';

/** Ports of the ingress gateway of Istio's installation, of its Service and its pods, TCP examples and traffic between clusters included. */
const INSTALLED_PORTS: readonly number[] = Object.freeze([80, 443, 8080, 8443, 15_012, 15_021, 15_443, 31_400]);

/** Services by one of the labels that whatever they select must have. */
const selecting = indexedBy<Service>(({ meta, selector }) => {
  const [first] = Object.entries(selector ?? {});
  return first === undefined ? [] : [`${meta.namespace} ${first[0]}=${first[1]}`];
});

/** Services in front of any of the workloads, in the snapshot's order. */
function servicesOf(services: readonly Service[], proxies: readonly Workload[]): readonly Service[] {
  const found = new Set<Service>();
  for (const { namespace, labels } of proxies) {
    for (const [name, value] of Object.entries(labels)) {
      for (const service of selecting(services, `${namespace} ${name}=${value}`))
        if (selects(service.selector ?? {}, labels)) found.add(service);
    }
  }
  return [...found].sort((one, other) => compareMeta(one.meta, other.meta));
}

/** Ports that Services open at the proxies of a Gateway; undefined where no Service is known. */
function openPorts(inventory: Inventory, selector: Readonly<Record<string, string>>): ReadonlySet<number> | undefined {
  const proxies = inventory.selected(selector).filter(({ labels }) => selects(selector, labels));
  const ports = servicesOf(inventory.part('services'), proxies).flatMap((service) =>
    service.ports.flatMap(({ port, targetPort }) => [
      port,
      ...(typeof targetPort === 'number'
        ? [targetPort]
        : proxies.flatMap((proxy) => proxy.ports.filter(({ name }) => name === targetPort).map((one) => one.port))),
    ]),
  );
  if (ports.length > 0) return new Set<number>(ports);
  return proxies.length === 0 && isInstalledGateway(selector) && (selector['istio'] ?? 'ingressgateway') === 'ingressgateway'
    ? new Set(INSTALLED_PORTS)
    : undefined;
}

/** Servers of Gateways on ports that no Service of the gateway opens. */
export function gatewayPorts(inventory: Inventory): readonly Diagnostic[] {
  return inventory.istio('Gateway').flatMap((gateway) => {
    const selector = labelsAt(gateway.node, 'spec', 'selector');
    if (Object.keys(selector).length === 0) return [];
    const open = openPorts(inventory, selector);
    if (open === undefined) return [];
    const known = inventory.gatewayNamespaces(selector).length > 0 && !isInstalledGateway(selector);
    return itemsAt(gateway.node, 'spec', 'servers').flatMap((server, at) => {
      const port = numberAt(server, 'port', 'number');
      if (port === undefined || open.has(port)) return [];
      const whose = known ? "the gateway's Service" : "the ingress gateway's Service of a standard installation";
      return [
        finding(
          gateway,
          `spec.servers[${at}].port.number`,
          known ? 'warning' : 'info',
          'gateway-port-not-open',
          `${whose} has no port ${port}: from outside the cluster nothing comes to this server`,
          `add the port to the Service, or use one of ${some([...open].map(String), 8)}`,
        ),
      ];
    });
  });
}
