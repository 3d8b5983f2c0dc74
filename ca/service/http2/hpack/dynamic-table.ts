import type { HeaderField } from './header-field.ts';
import { sizeOf } from './header-field.ts';

/** The fields a peer had entered, newest first (RFC 7541, sections 2.3.2 and 4). */
export interface DynamicTable {
  /** The newest is at 0. */
  at(index: number): HeaderField | undefined;
  add(field: HeaderField): void;
  resize(capacity: number): void;
}

/** The slots at first: as many as most clients fill. Copying them costs a connection less than filling its own. */
const EMPTY: readonly (HeaderField | undefined)[] = Array.from({ length: 16 }, () => undefined);

/** `capacity` as RFC 7541 counts it, in octets. */
export function dynamicTable(capacity: number): DynamicTable {
  // A ring, always of a power of two slots. A slot that holds no field holds nothing, so that a field that left can be collected.
  let ring = [...EMPTY];
  let mask = ring.length - 1;
  let [newest, count, size, most] = [0, 0, 0, capacity];

  const evictDownTo = (allowed: number) => {
    while (size > allowed) {
      const oldest = (newest - count + 1) & mask;
      const field = ring[oldest];
      if (field === undefined) return;
      size -= sizeOf(field);
      ring[oldest] = undefined;
      count--;
    }
  };
  const grow = () => {
    const oldest = newest - count + 1;
    ring = Array.from({ length: count * 2 }, (_, index) => (index < count ? ring[(oldest + index) & mask] : undefined));
    mask = ring.length - 1;
    newest = count - 1;
  };
  return {
    at: (index) => (index < count ? ring[(newest - index) & mask] : undefined),
    add(field) {
      const needed = sizeOf(field);
      evictDownTo(Math.max(0, most - needed));
      // One larger than the table empties it, and that is no error (section 4.4).
      if (needed > most) return;
      if (count === ring.length) grow();
      newest = (newest + 1) & mask;
      ring[newest] = field;
      size += needed;
      count++;
    },
    resize(next) {
      most = next;
      evictDownTo(most);
    },
  };
}
