import type { Service } from '../model/service.ts';

/** Services that were given an address, by the Service as it was read: the same address gives the same object again. */
const made = new WeakMap<Service, Service>();

/** Whether a Service gets a virtual address: it has none of its own, and calls to it could be told apart by one. */
export function wantsAddress({ addresses, headless, hostname, meta, external }: Service): boolean {
  return addresses.length === 0 && headless !== true && !hostname.includes('*') && (meta.kind === 'ServiceEntry' || !external);
}

export function withAddress(service: Service, address: string | undefined): Service {
  if (address === undefined) return service;
  const before = made.get(service);
  if (before !== undefined && before.addresses[0] === address) return before;
  const next: Service = Object.freeze({ ...service, addresses: Object.freeze([address]) });
  made.set(service, next);
  return next;
}
