import type { Diagnostic } from '../../model/diagnostic.ts';
import { labelsAt } from '../node-path.ts';
import { finding, type Inventory, isInstalledGateway } from './inventory.ts';

/**
 * Gateways whose labels no workload has. Gateway pods are often kept elsewhere, so that this is worth a word, no more, and
 * those of a standard installation are taken to be there.
 */
export function gatewaySelectors(inventory: Inventory): readonly Diagnostic[] {
  return inventory.istio('Gateway').flatMap((gateway) => {
    const selector = labelsAt(gateway.node, 'spec', 'selector');
    if (Object.keys(selector).length === 0 || isInstalledGateway(selector) || inventory.gatewayNamespaces(selector).length > 0)
      return [];
    const written = Object.entries(selector).map(([name, value]) => `${name}=${value}`);
    return [
      finding(
        gateway,
        'spec.selector',
        'info',
        'selects-nothing',
        `no workload has the labels ${written.join(', ')}; the object has no effect`,
        'correct the labels; they are those of the gateway pods, as istio: ingressgateway',
      ),
    ];
  });
}
