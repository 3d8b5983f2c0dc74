import type { EndpointSlice } from '../../model/endpoint-slice.ts';
import { keyOf } from '../../model/object.ts';
import type { Service } from '../../model/service.ts';
import { pointsTo, withAliases } from '../aliases.ts';
import { wantsAddress, withAddress } from '../addresses.ts';
import type { Places } from '../places.ts';
import { withSlices } from '../sliced.ts';
import { AddressBook } from './address-book.ts';
import { Grouped } from './grouped.ts';
import { compareMeta } from './order.ts';
import { type Difference, NO_DIFFERENCE, Ordered } from './ordered.ts';

/** A Service with its slices, and as it stands in the snapshot. */
interface Made {
  readonly sliced: Service;
  readonly final: Service;
}

/** Services with their endpoints from slices and their virtual addresses: a change is worked out for those it touches. */
export class Services {
  readonly #made = new Map<Service, Made>();
  /** The hosts of one ServiceEntry follow each other as they are written. */
  readonly #ranks = new WeakMap<Service, number>();
  readonly #ordered = new Ordered<Service>((one, other) => this.compare(one, other));
  readonly #slices = new Grouped<EndpointSlice>(
    ({ meta, service }) => (service === undefined || service === '' ? [] : [`${meta.namespace}/${service}`]),
    (one, other) => compareMeta(one.meta, other.meta),
  );
  readonly #byName = new Grouped<Service>(
    ({ meta }) => (meta.kind === 'Service' ? [keyOf(meta)] : []),
    () => 0,
  );
  readonly #byHost = new Grouped<Service>(
    ({ hostname }) => [hostname],
    () => 0,
  );
  /** Those of type ExternalName. */
  readonly #pointers = new Set<Service>();
  /** Those that are other names of a host, and those that have other names: what they are then. */
  #aliased: ReadonlyMap<Service, Service> = new Map();
  readonly #book = new AddressBook();
  #places: Places | undefined;

  get values(): readonly Service[] {
    return this.#ordered.values;
  }

  compare(one: Service, other: Service): number {
    return compareMeta(one.meta, other.meta) || (this.#ranks.get(one) ?? 0) - (this.#ranks.get(other) ?? 0);
  }

  /** @param read Services as they were read; those of one ServiceEntry come and go together */
  patch(read: Difference<Service>, slices: Difference<EndpointSlice>, places: Places): Difference<Service> {
    const touched = this.#touched(read, slices, places);
    if (touched.size === 0 && read.gone.length === 0) return NO_DIFFERENCE;
    const before = new Map<Service, Service>();
    const left: string[] = [];
    const arrived: string[] = [];
    for (const service of new Set([...read.gone, ...touched])) {
      const made = this.#made.get(service);
      if (made === undefined) continue;
      this.#made.delete(service);
      before.set(service, made.final);
      if (wantsAddress(made.sliced)) left.push(made.sliced.hostname);
    }
    const open = new Map<Service, Service>();
    for (const service of touched) {
      const own = this.#slices.get(keyOf(service.meta));
      const [sliced = service] = own.length === 0 ? [] : withSlices([service], own, places);
      open.set(service, sliced);
      if (wantsAddress(sliced)) arrived.push(sliced.hostname);
    }
    const reopen = (service: Service): void => {
      const made = this.#made.get(service);
      if (made === undefined || open.has(service)) return;
      before.set(service, made.final);
      open.set(service, made.sliced);
    };
    for (const name of this.#book.change(left, arrived)) for (const service of this.#byHost.get(name)) reopen(service);
    for (const service of this.#alias(open)) reopen(service);
    const after = new Map<Service, Service>();
    for (const [service, sliced] of open) {
      const aliased = this.#aliased.get(service) ?? sliced;
      const final = wantsAddress(aliased) ? withAddress(aliased, this.#book.get(aliased.hostname)) : aliased;
      this.#ranks.set(final, this.#ranks.get(service) ?? 0);
      this.#made.set(service, { sliced, final });
      after.set(service, final);
    }
    const gone = [...before].filter(([service, final]) => after.get(service) !== final).map(([, final]) => final);
    const come = [...after].filter(([service, final]) => before.get(service) !== final).map(([, final]) => final);
    const difference = { gone, come };
    this.#ordered.patch(difference);
    return difference;
  }

  /**
   * Works out anew which Services are other names of which: only those that point to another, and those that are pointed to, take part.
   * @returns those that are another alias, or have other aliases, than before
   */
  #alias(open: ReadonlyMap<Service, Service>): readonly Service[] {
    const before = this.#aliased;
    if (this.#pointers.size === 0 && before.size === 0) return [];
    const hosts = new Set([...this.#pointers].map((service) => pointsTo(service) ?? ''));
    const part = new Set(this.#pointers);
    for (const host of hosts) for (const service of this.#byHost.get(host)) part.add(service);
    const ordered = [...part].sort((one, other) => this.compare(one, other));
    const sliced = ordered.map((service) => open.get(service) ?? this.#made.get(service)?.sliced ?? service);
    const aliased = new Map<Service, Service>();
    for (const [at, one] of withAliases(sliced).entries()) {
      const service = ordered[at];
      if (service !== undefined && one !== sliced[at]) aliased.set(service, one);
    }
    this.#aliased = aliased;
    return [...new Set([...before.keys(), ...aliased.keys()])].filter((one) => before.get(one) !== aliased.get(one));
  }

  /** Those to be made (again): new ones, those whose slices changed, and with other places all that have slices. */
  #touched(read: Difference<Service>, slices: Difference<EndpointSlice>, places: Places): ReadonlySet<Service> {
    const touched = new Set(read.come);
    this.#byName.patch(read);
    this.#byHost.patch(read);
    for (const service of read.gone) this.#pointers.delete(service);
    for (const service of read.come) if (pointsTo(service) !== undefined) this.#pointers.add(service);
    for (const [at, service] of read.come.entries()) this.#ranks.set(service, at);
    const names = new Set(this.#slices.patch(slices));
    if (this.#places !== undefined && this.#places !== places) for (const name of this.#slices.keys()) names.add(name);
    this.#places = places;
    for (const name of names) for (const service of this.#byName.get(name)) touched.add(service);
    return touched;
  }
}
