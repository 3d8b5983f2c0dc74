/**
 * Requests in the product of some dimensions: for each dimension a set of its classes, as the bits of a number. A box that
 * is empty in one dimension is not made.
 */
export type Box = readonly bigint[];

export function covers(outer: Box, inner: Box): boolean {
  return inner.every((bits, at) => (bits & ~(outer[at] ?? 0n)) === 0n);
}

export function intersection(one: Box, other: Box): Box | undefined {
  const both = one.map((bits, at) => bits & (other[at] ?? 0n));
  return both.includes(0n) ? undefined : both;
}

/** What of a box is not in another: boxes that share nothing. */
export function without(box: Box, cut: Box): readonly Box[] {
  const shared = intersection(box, cut);
  if (shared === undefined) return [box];
  const left: Box[] = [];
  const rest = [...box];
  for (const [at, inside] of shared.entries()) {
    const outside = (rest[at] ?? 0n) & ~inside;
    if (outside !== 0n) left.push(rest.map((bits, index) => (index === at ? outside : bits)));
    rest[at] = inside;
  }
  return left;
}

/** More pieces than anybody could read, or a machine compare in good time. */
const MOST_BOXES = 4_000;

/** What of boxes is in none of the others; undefined when that falls into too many pieces. */
export function difference(boxes: readonly Box[], cuts: readonly Box[]): readonly Box[] | undefined {
  let left = boxes;
  for (const cut of cuts) {
    left = left.flatMap((box) => without(box, cut));
    if (left.length > MOST_BOXES) return undefined;
  }
  return left;
}

function firstDifference(one: Box, other: Box): number | undefined {
  let found: number | undefined;
  for (const [at, bits] of one.entries()) {
    if (bits === other[at]) continue;
    if (found !== undefined) return undefined;
    found = at;
  }
  return found;
}

/** The same requests in fewer boxes: those inside others left out, those that differ in one dimension made one. */
export function merged(boxes: readonly Box[]): readonly Box[] {
  const done = [...boxes];
  for (let again = true; again;) {
    again = false;
    for (let one = 0; one < done.length; one++) {
      for (let other = 0; other < done.length; other++) {
        const [a, b] = [done[one], done[other]];
        if (one === other || a === undefined || b === undefined) continue;
        const at = covers(a, b) ? -1 : firstDifference(a, b);
        if (at === undefined) continue;
        if (at >= 0) done[one] = a.map((bits, index) => (index === at ? bits | (b[index] ?? 0n) : bits));
        done.splice(other, 1);
        if (other < one) one--;
        other--;
        again = true;
      }
    }
  }
  return done;
}

/** The numbers of the bits that are set. */
export function members(bits: bigint): readonly number[] {
  const found: number[] = [];
  let base = 0;
  // Word by word: shifting a long number bit by bit copies it each time.
  for (let left = bits; left !== 0n; left >>= 32n, base += 32) {
    for (let word = Number(left & 0xffffffffn), at = base; word !== 0; word >>>= 1, at++) if ((word & 1) === 1) found.push(at);
  }
  return found;
}

/** How many bits are set. */
export function size(bits: bigint): number {
  let count = 0;
  for (let left = bits; left !== 0n; left >>= 32n) {
    let word = Number(left & 0xffffffffn);
    for (; word !== 0; word = (word & (word - 1)) >>> 0) count++;
  }
  return count;
}

export function has(bits: bigint, at: number): boolean {
  return ((bits >> BigInt(at)) & 1n) === 1n;
}

export function setOf(indices: Iterable<number>): bigint {
  let bits = 0n;
  for (const at of indices) bits |= 1n << BigInt(at);
  return bits;
}
