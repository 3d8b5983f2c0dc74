import type { EncodedResource } from '../resource-set.ts';
import type { Encoded } from './wire.ts';

/** Below this a copy costs less than the search for it. */
const WORTH_SHARING = 2 * 1024;
/** Of all kept together. A push goes to all proxies within a second, so what was used longest ago is not asked for again. */
const MOST_BYTES = 32 << 20;

interface Body {
  readonly resources: readonly EncodedResource[];
  readonly encoded: Encoded;
}

function same(one: readonly EncodedResource[], other: readonly EncodedResource[]): boolean {
  return one === other || (one.length === other.length && one.every((resource, at) => resource === other[at]));
}

/**
 * Encoded lists of resources. Streams that see the same are sent the same lists at about the same time, each list made by its own stream;
 * they are told apart by the identity of what is in them.
 */
export class SharedBodies {
  /** By their first resource; in the order of last use. */
  readonly #bodies = new Map<EncodedResource, Body>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  of(resources: readonly EncodedResource[], encode: () => Encoded): Encoded {
    const [first] = resources;
    if (first === undefined) return encode();
    const known = this.#bodies.get(first);
    if (known !== undefined && same(known.resources, resources)) {
      this.#bodies.delete(first);
      this.#bodies.set(first, known);
      return known.encoded;
    }
    const encoded = encode();
    if (encoded.byteLength < WORTH_SHARING || encoded.copied > this.#mostBytes) return encoded;
    this.#forget(first);
    this.#bodies.set(first, { resources, encoded });
    this.#bytes += encoded.copied;
    for (const oldest of this.#bodies.keys()) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#forget(oldest);
    }
    return encoded;
  }

  #forget(first: EncodedResource): void {
    this.#bytes -= this.#bodies.get(first)?.encoded.copied ?? 0;
    this.#bodies.delete(first);
  }
}
