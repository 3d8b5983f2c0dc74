import { indexedBy } from '../model/indexed-by.ts';
import type { Service } from '../model/service.ts';

/** What the Gateway API reads of a Service. */
export type KnownService = Pick<Service, 'hostname' | 'ports' | 'selector'> & {
  readonly meta: Pick<Service['meta'], 'namespace' | 'name'>;
};

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);

/** Of several with one host the last, as in a map of them all. */
const found = (services: readonly Service[], host: string): Service | undefined => byHost(services, host).at(-1);

function alike(one: KnownService | undefined, other: KnownService | undefined): boolean {
  if (one === other) return true;
  return (
    one !== undefined &&
    other !== undefined &&
    one.ports === other.ports &&
    one.selector === other.selector &&
    one.meta.namespace === other.meta.namespace &&
    one.meta.name === other.meta.name
  );
}

/** Finds Services by host, and remembers which were asked for: what is made of them holds as long as those are alike. */
export class AskedServices {
  #services: readonly Service[];
  readonly #asked = new Map<string, KnownService | undefined>();

  constructor(services: readonly Service[]) {
    this.#services = services;
  }

  get(host: string): KnownService | undefined {
    const service = found(this.#services, host);
    this.#asked.set(host, service);
    return service;
  }

  /** Whether in another list each of those that were asked for, and not found, is as it was. */
  areAlikeIn(services: readonly Service[]): boolean {
    if (services === this.#services) return true;
    for (const [host, service] of this.#asked) if (!alike(service, found(services, host))) return false;
    // The list before is kept from nobody's sweep.
    this.#services = services;
    return true;
  }
}
