/** One DER element. `raw` is the whole encoding, `value` its contents; both are views of the input. */
export interface Element {
  readonly tag: number;
  readonly raw: Uint8Array;
  readonly value: Uint8Array;
}

/** Makes its views when they are asked for: most elements are only passed over or gone into. */
class ElementAt implements Element {
  readonly tag: number;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  readonly #header: Header;

  constructor(tag: number, bytes: Uint8Array, at: number, where: Header) {
    [this.tag, this.#bytes, this.#at, this.#header] = [tag, bytes, at, where];
  }

  get raw(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#header.end);
  }

  get value(): Uint8Array {
    return this.#bytes.subarray(this.#header.start, this.#header.end);
  }

  elements(): readonly Element[] | undefined {
    return elementsWithin(this.#bytes, this.#header.start, this.#header.end);
  }
}

/** The tags that requests and certificates are made of (X.690, section 8; low tag numbers only). */
export const TAG = Object.freeze({
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context3: 0xa3,
  dnsName: 0x82,
  uriName: 0x86,
});

interface Header {
  readonly start: number;
  readonly end: number;
}

/** DER allows one length encoding only: definite and shortest (X.690, section 10.1). Three length bytes hold any input we take. */
function header(bytes: Uint8Array, at: number): Header | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 3) return undefined;
  let length = 0;
  for (let index = 0; index < count; index++) {
    const byte = bytes[at + 2 + index];
    if (byte === undefined || (index === 0 && byte === 0)) return undefined;
    length = length * 256 + byte;
  }
  return length < 0x80 ? undefined : { start: at + 2 + count, end: at + 2 + count + length };
}

/**
 * The elements that the bytes consist of, or undefined when they are not exactly a row of DER elements (truncated, trailing
 * bytes, BER forms). Reads one level; never recurses, so nesting cannot exhaust the stack.
 */
export function elements(bytes: Uint8Array): readonly Element[] | undefined {
  return elementsWithin(bytes, 0, bytes.length);
}

function elementsWithin(bytes: Uint8Array, start: number, end: number): ElementAt[] | undefined {
  const found: ElementAt[] = [];
  for (let at = start; at < end;) {
    const tag = bytes[at];
    const where = header(bytes, at);
    if (tag === undefined || where === undefined || where.end > end) return undefined;
    found.push(new ElementAt(tag, bytes, at, where));
    at = where.end;
  }
  return found;
}

/** The members of a SEQUENCE (or of any constructed element with that tag), or undefined when it is something else. */
export function members(element: Element | undefined, tag: number = TAG.sequence): readonly Element[] | undefined {
  if (element?.tag !== tag) return undefined;
  return element instanceof ElementAt ? element.elements() : elements(element.value);
}

/** The one element that the bytes consist of. */
export function soleElement(bytes: Uint8Array): Element | undefined {
  const all = elements(bytes);
  return all?.length === 1 ? all[0] : undefined;
}

/** The bytes of a BIT STRING without unused bits: keys and signatures. */
export function wholeBits(element: Element | undefined): Uint8Array | undefined {
  return element?.tag === TAG.bitString && element.value[0] === 0 ? element.value.subarray(1) : undefined;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
