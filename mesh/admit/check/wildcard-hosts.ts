import type { Diagnostic } from '../../model/diagnostic.ts';
import { covers, type Hostname } from '../../model/hostname.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { shorten } from '../node.ts';
import { foundInEach } from '../../model/found-in.ts';
import { byName, finding, type Inventory } from './inventory.ts';
import { seenTogether } from './service-entries.ts';

function nameOf({ meta }: VirtualService): string {
  return `${meta.namespace}/${meta.name}`;
}

interface Wild {
  readonly service: VirtualService;
  readonly host: Hostname;
  readonly at: number;
}

const wildHosts = foundInEach<VirtualService, Wild>((service) =>
  service.gateways.includes('mesh')
    ? service.hosts.flatMap((host, at) => (host.startsWith('*') && host !== '*' ? [{ service, host, at }] : []))
    : [],
);

/** VirtualServices of sidecars with wildcards of which one covers the other: the longer one takes the requests of both. */
export function wildcardHosts(inventory: Inventory): readonly Diagnostic[] {
  const wild = wildHosts(inventory.part('virtualServices'));
  if (wild.length < 2) return [];
  const written = inventory.istio('VirtualService');
  return wild.flatMap(({ service, host, at }) => {
    const [own] = byName(written, nameOf(service));
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
