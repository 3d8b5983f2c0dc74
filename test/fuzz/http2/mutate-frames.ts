import { HEADER, uint32 } from '../../ca/service/http2/raw-frame.ts';
import { mutate } from '../mutate.ts';
import { below, oneOf, type Random } from '../random.ts';

const LARGEST = 256 * 1024;
/** Lengths and numbers at which readers of frames go wrong. */
const NUMBERS: readonly number[] = [0, 1, 4, 5, 6, 7, 8, 9, 0x3fff, 0x4000, 0x4001, 0xff_ffff];
const STREAMS: readonly number[] = [0, 1, 2, 3, 5, 7, 99, 0x7fff_ffff, 0x8000_0001, 0xffff_ffff];

type Change = (frame: Buffer, random: Random) => Buffer;

const CHANGES: readonly Change[] = [
  (frame, random) => with8(frame, 3, below(random, 11)),
  (frame, random) => with8(frame, 4, (frame[4] ?? 0) ^ (1 << below(random, 6))),
  (frame, random) => with8(frame, 4, below(random, 256)),
  (frame, random) => Buffer.concat([frame.subarray(0, 5), uint32(oneOf(random, STREAMS)), frame.subarray(HEADER)]),
  // A length that is not true: what follows is read as something else.
  (frame, random) => {
    const changed = Buffer.from(frame);
    changed.writeUIntBE(oneOf(random, NUMBERS), 0, 3);
    return changed;
  },
  // A payload that is shorter or changed, with its true length.
  (frame, random) => resized(frame, frame.subarray(HEADER, HEADER + below(random, frame.length - HEADER + 1))),
  (frame, random) => resized(frame, mutate([frame.subarray(HEADER)], random).subarray(0, oneOf(random, [16_384, 16_385]))),
  (frame, random) => resized(frame, uint32(oneOf(random, [0, 1, 65_535, 0x7fff_ffff, 0xffff_ffff]))),
];

/** Frames of which some are changed, gone, said again, elsewhere, or another conversation's. */
export function mutateFrames(frames: readonly Buffer[], other: readonly Buffer[], random: Random): Buffer {
  const changed = [...frames];
  const changes = 1 + below(random, oneOf(random, [1, 2, 6]));
  for (let change = 0; change < changes; change++) {
    const at = below(random, changed.length);
    const one = changed[at];
    if (one === undefined) break;
    switch (below(random, 7)) {
      case 0:
        changed.splice(at, 1);
        break;
      case 1:
        changed.splice(below(random, changed.length), 0, ...Array.from({ length: oneOf(random, [1, 1, 1, 30]) }, () => one));
        break;
      case 2:
        changed.splice(at, 1);
        changed.splice(below(random, changed.length + 1), 0, one);
        break;
      case 3:
        changed.splice(at, below(random, 4), ...other.slice(below(random, other.length)).slice(0, 1 + below(random, 4)));
        break;
      default:
        if (one.length >= HEADER) changed[at] = oneOf(random, CHANGES)(one, random);
    }
  }
  const bytes = Buffer.concat(changed).subarray(0, LARGEST);
  return random() < 0.2 ? mutate([bytes], random) : bytes;
}

/** Cuts at random places: most often few, sometimes after each byte of a stretch. */
export function inChunks(bytes: Buffer, random: Random): Buffer[] {
  const cuts = Array.from({ length: below(random, 12) }, () => below(random, bytes.length + 1));
  const from = below(random, bytes.length + 1);
  if (random() < 0.3) for (let at = from; at < Math.min(from + 40, bytes.length); at++) cuts.push(at);
  const sorted = [...cuts.toSorted((a, b) => a - b), bytes.length];
  return sorted.map((end, n) => bytes.subarray(n === 0 ? 0 : sorted[n - 1], end)).filter(({ length }) => length > 0);
}

function with8(frame: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(frame);
  changed[at] = value;
  return changed;
}

function resized(frame: Buffer, payload: Buffer): Buffer {
  const head = Buffer.from(frame.subarray(0, HEADER));
  head.writeUIntBE(payload.length, 0, 3);
  return Buffer.concat([head, payload]);
}
