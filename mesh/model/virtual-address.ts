// Addresses for Services that have none, as Istio's automatic allocation gives to ServiceEntries: one each out of the
// reserved range 240.240.0.0/16 (RFC 1112 class E, routed nowhere), so that a captured connection tells which service was meant.

/** 240.240.0.0 itself and 240.240.255.255 are left out. */
export const SLOTS = 65_534;

/** FNV-1a, 32 bits: spreads short names well and needs nothing. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value ^= text.charCodeAt(at);
    value = Math.imul(value, 0x01000193) >>> 0;
  }
  return value;
}

/** The slot that a name has unless another is there before it; then the next free one. */
export function slotOf(name: string): number {
  return hash(name) % SLOTS;
}

export function addressAt(slot: number): string {
  const offset = slot + 1;
  return `240.240.${offset >>> 8}.${offset & 255}`;
}

/**
 * A virtual address for each service, a function of the set of names alone. A name keeps its address while others come
 * and go, unless two hash to the same one: then the name that sorts first has it and the other takes the next free one.
 * @param names `namespace/name` of every service that has no address of its own
 * @returns addresses by name; names beyond the 65,534 that the range holds have none
 */
export function virtualAddresses(names: Iterable<string>): ReadonlyMap<string, string> {
  const taken = new Set<number>();
  const found = new Map<string, string>();
  for (const name of [...new Set(names)].sort()) {
    if (taken.size === SLOTS) break;
    let slot = slotOf(name);
    while (taken.has(slot)) slot = (slot + 1) % SLOTS;
    taken.add(slot);
    found.set(name, addressAt(slot));
  }
  return found;
}

/** True for an address that only the mesh knows: a client that resolved the name elsewhere does not come by it. */
export function isVirtualAddress(address: string): boolean {
  return address.startsWith('240.240.');
}
