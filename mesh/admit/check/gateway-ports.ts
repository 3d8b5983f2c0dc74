import type { Diagnostic } from '../../model/diagnostic.ts';
import { selects } from '../../model/object.ts';
import { itemsAt, labelsAt, numberAt } from '../node-path.ts';
import { finding, type Inventory, isInstalledGateway, some } from './inventory.ts';

/** Ports of the ingress gateway of Istio's installation, of its Service and its pods, TCP examples and traffic between clusters included. */
const INSTALLED_PORTS: readonly number[] = Object.freeze([80, 443, 8080, 8443, 15_012, 15_021, 15_443, 31_400]);

/** Ports that Services open at the proxies of a Gateway; undefined where no Service is known. */
function openPorts(inventory: Inventory, selector: Readonly<Record<string, string>>): ReadonlySet<number> | undefined {
  const { workloads, services } = inventory.snapshot;
  const proxies = workloads.filter(({ labels }) => selects(selector, labels));
  const ports = services
    .filter(
      (service) =>
        service.selector !== undefined &&
        Object.keys(service.selector).length > 0 &&
        proxies.some(
          ({ namespace, labels }) =>
            namespace === service.meta.namespace && service.selector !== undefined && selects(service.selector, labels),
        ),
    )
    .flatMap((service) =>
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
