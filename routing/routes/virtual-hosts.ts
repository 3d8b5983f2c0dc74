import { create } from '@bufbuild/protobuf';
import { type Route, type VirtualHost, VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { kept } from '../kept.ts';

/** The same object for the same routes under the same names. */
const remembered = kept<Route, VirtualHost>(64);

/**
 * Collects the virtual hosts of one route configuration. Envoy refuses a configuration in which a domain is there twice, so
 * the first to claim a domain keeps it, and a virtual host left with none is dropped.
 */
export class VirtualHosts {
  readonly #taken = new Set<string>();
  readonly #hosts: VirtualHost[] = [];

  add(
    name: string,
    domains: readonly string[],
    routes: readonly Route[],
    rest: Partial<Pick<VirtualHost, 'requireTls' | 'includeRequestAttemptCount'>> = {},
  ): void {
    const free = [...new Set(domains)].filter((domain) => !this.#taken.has(domain));
    if (free.length === 0) return;
    for (const domain of free) this.#taken.add(domain);
    const make = () =>
      create(VirtualHostSchema, { name, domains: free, routes: [...routes], includeRequestAttemptCount: true, ...rest });
    const [first] = routes;
    const inputs = [name, rest.requireTls, rest.includeRequestAttemptCount, free.length, ...free, ...routes];
    this.#hosts.push(first === undefined ? make() : remembered.get(first, inputs, make));
  }

  all(): VirtualHost[] {
    return this.#hosts;
  }
}
