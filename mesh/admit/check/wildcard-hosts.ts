import type { Diagnostic } from '../../model/diagnostic.ts';
import { covers } from '../../model/hostname.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { shorten } from '../node.ts';
import { finding, type Inventory } from './inventory.ts';
import { seenTogether } from './service-entries.ts';

function nameOf({ meta }: VirtualService): string {
  return `${meta.namespace}/${meta.name}`;
}

/** VirtualServices of sidecars with wildcards of which one covers the other: the longer one takes the requests of both. */
export function wildcardHosts(inventory: Inventory): readonly Diagnostic[] {
  const written = new Map(inventory.istio('VirtualService').map((one) => [`${one.namespace}/${one.name}`, one]));
  const wild = inventory.snapshot.virtualServices
    .filter(({ gateways }) => gateways.includes('mesh'))
    .flatMap((service) =>
      service.hosts.flatMap((host, at) => (host.startsWith('*') && host !== '*' ? [{ service, host, at }] : [])),
    );
  return wild.flatMap(({ service, host, at }) => {
    const own = written.get(nameOf(service));
    const other = wild.find(
      (one) =>
        one.service !== service &&
        one.host !== host &&
        (covers(one.host, host) || covers(host, one.host)) &&
        seenTogether(one.service.exportTo, service.exportTo),
    );
    if (own === undefined || other === undefined) return [];
    const longer = host.length > other.host.length ? 'this one' : `VirtualService ${nameOf(other.service)}`;
    return [
      finding(
        own,
        `spec.hosts[${at}]`,
        'info',
        'host-conflict',
        `${shorten(host)} and ${shorten(other.host)} of VirtualService ${nameOf(other.service)} have hosts in common; those are routed by ${longer}, whose host is longer`,
        'limit exportTo, or put the routes into one VirtualService, when that is not meant',
      ),
    ];
  });
}
