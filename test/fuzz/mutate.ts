import { below, oneOf, type Random } from './random.ts';

/** Values at which parsers go wrong: ends of ranges, DER tags and length forms, signs of text formats. */
const BYTES: readonly number[] = [
  0, 1, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff, 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0xa0, 0x2e, 0x2f, 0x3a, 0x0a,
];
const LARGEST = 128 * 1024;

type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => at(bytes, random, (byte) => byte ^ (1 << below(random, 8))),
  (bytes, random) => at(bytes, random, () => oneOf(random, BYTES)),
  (bytes, random) => at(bytes, random, () => below(random, 256)),
  (bytes, random) => at(bytes, random, (byte) => byte + oneOf(random, [-1, 1])),
  // Cut at the end, at the start, or something taken out.
  (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1)),
  (bytes, random) => bytes.subarray(below(random, bytes.length + 1)),
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  // Something repeated, a little or very often.
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    const times = oneOf(random, [1, 2, 64]);
    const part = bytes.subarray(start, end);
    return Buffer.concat([bytes.subarray(0, end), ...Array.from({ length: times }, () => part), bytes.subarray(end)]);
  },
  (bytes, random) => {
    const place = below(random, bytes.length + 1);
    const noise = Buffer.from(Array.from({ length: 1 + below(random, 16) }, () => below(random, 256)));
    return Buffer.concat([bytes.subarray(0, place), noise, bytes.subarray(place)]);
  },
  // The start of one and the end of another.
  (bytes, random, others) => {
    const other = oneOf(random, others);
    return Buffer.concat([bytes.subarray(0, below(random, bytes.length + 1)), other.subarray(below(random, other.length + 1))]);
  },
  // A part of another in the place of one.
  (bytes, random, others) => {
    const other = oneOf(random, others);
    const [start, end] = range(bytes, random);
    const [from, to] = range(other, random);
    return Buffer.concat([bytes.subarray(0, start), other.subarray(from, to), bytes.subarray(end)]);
  },
];

/** One to eight changes to one of the seeds. */
export function mutate(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes = Buffer.from(oneOf(random, seeds));
  const changes = 1 + below(random, oneOf(random, [1, 1, 3, 8]));
  for (let change = 0; change < changes; change++)
    bytes = Buffer.from(oneOf(random, MUTATIONS)(bytes, random, seeds)).subarray(0, LARGEST);
  return bytes;
}

function at(bytes: Buffer, random: Random, change: (byte: number) => number): Buffer {
  if (bytes.length === 0) return bytes;
  const place = below(random, bytes.length);
  bytes[place] = change(bytes[place] ?? 0) & 0xff;
  return bytes;
}

function range(bytes: Buffer, random: Random): readonly [number, number] {
  const start = below(random, bytes.length + 1);
  return [start, start + below(random, Math.min(64, bytes.length - start) + 1)];
}
