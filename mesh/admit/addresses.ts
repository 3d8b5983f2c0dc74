import type { Service } from '../model/service.ts';
import { virtualAddresses } from '../model/virtual-address.ts';

/** Services that were given an address, by the Service as it was read: the same address gives the same object again. */
const made = new WeakMap<Service, Service>();

/** Gives each Service that wants an address and has none its virtual one. */
export function addressed(services: readonly Service[], wants: (service: Service) => boolean): readonly Service[] {
  const open = services.filter((service) => service.addresses.length === 0 && wants(service));
  const given = virtualAddresses(open.map((service) => service.hostname));
  const chosen = new Set(open);
  return services.map((service) => {
    const address = chosen.has(service) ? given.get(service.hostname) : undefined;
    if (address === undefined) return service;
    const before = made.get(service);
    if (before !== undefined && before.addresses[0] === address) return before;
    const next: Service = Object.freeze({ ...service, addresses: Object.freeze([address]) });
    made.set(service, next);
    return next;
  });
}
