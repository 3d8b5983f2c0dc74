import { isDeepStrictEqual } from 'node:util';
import type { EndpointSlice } from '../model/endpoint-slice.ts';
import type { Service, SlicedEndpoint } from '../model/service.ts';
import type { Places } from './places.ts';

interface Made {
  readonly slices: readonly EndpointSlice[];
  readonly places: Places;
  readonly service: Service;
}

/** Services with their slices, by the Service as it was read: the same slices and places give the same object again. */
const made = new WeakMap<Service, Made>();

/** Gives each Service what its EndpointSlices name. An Endpoints counts only where there is no slice, since Kubernetes keeps slices of each. */
export function withSlices(services: readonly Service[], slices: readonly EndpointSlice[], places: Places): readonly Service[] {
  if (slices.length === 0) return services;
  const byService = Map.groupBy(
    slices.filter(({ service }) => service !== undefined && service !== ''),
    ({ meta, service }) => `${meta.namespace}/${service ?? ''}`,
  );
  return services.map((service) => {
    if (service.meta.kind !== 'Service' || service.resolution !== 'endpoints') return service;
    const all = byService.get(`${service.meta.namespace}/${service.meta.name}`);
    if (all === undefined) return service;
    const newer = all.filter(({ meta }) => meta.kind === 'EndpointSlice');
    const own = newer.length > 0 ? newer : all;
    const before = made.get(service);
    if (before?.places === places && before.slices.length === own.length && before.slices.every((one, at) => one === own[at]))
      return before.service;
    const endpoints = endpointsIn(own, places);
    const next: Service =
      before !== undefined && isDeepStrictEqual(before.service.sliced, endpoints)
        ? before.service
        : Object.freeze({ ...service, sliced: Object.freeze(endpoints) });
    made.set(service, { slices: own, places, service: next });
    return next;
  });
}

/** An address that stands in several slices, as while they are rewritten, is one endpoint. */
function endpointsIn(slices: readonly EndpointSlice[], places: Places): SlicedEndpoint[] {
  const found = new Map<string, SlicedEndpoint>();
  for (const { endpoints, ports } of slices.flatMap(({ addresses }) => addresses)) {
    for (const { address, ready, pod, hostname, node, zone } of endpoints) {
      const before = found.get(address);
      found.set(address, {
        address,
        ready: ready || before?.ready === true,
        ports: { ...before?.ports, ...ports },
        pod: pod ?? before?.pod,
        hostname: hostname ?? before?.hostname,
        locality: places.ofNode(node) ?? places.ofZone(zone) ?? before?.locality,
      });
    }
  }
  return [...found.values()];
}
