import { ERROR, type ErrorCode, FLAG, FRAME, type Frame } from './frame.ts';
import { payloadWithoutPadding } from './padding.ts';

/** Bytes of a compressed header block at most. A token and a handful of names are 1 to 4 KB. */
const LARGEST_BLOCK = 32 * 1024;
/** Frames of one at most: a client that fills frames needs three (CVE-2024-27316 is about those that do not). */
const MOST_FRAMES = 8;

export interface HeaderBlock {
  readonly stream: number;
  readonly endStream: boolean;
  /** The stream that it says it depends on. */
  readonly dependsOn: number | undefined;
  readonly bytes: Buffer;
}

interface Open extends Omit<HeaderBlock, 'bytes'> {
  readonly parts: Buffer[];
  length: number;
}

/** Puts HEADERS and the CONTINUATION frames behind it together (RFC 9113, sections 6.2 and 6.10). */
export class HeaderBlocks {
  #open: Open | undefined;

  /** Whether a block has begun: then only CONTINUATION of its stream may come. */
  get expecting(): number | undefined {
    return this.#open?.stream;
  }

  /** Takes a HEADERS or CONTINUATION frame that may come now. Undefined while the block goes on; the connection's error where it is none. */
  take(frame: Frame): HeaderBlock | ErrorCode | undefined {
    if (frame.type === FRAME.headers) {
      const begun = beginning(frame);
      if (typeof begun === 'number') return begun;
      this.#open = begun;
    } else {
      this.#open?.parts.push(frame.payload);
      if (this.#open !== undefined) this.#open.length += frame.payload.length;
    }
    const open = this.#open;
    if (open === undefined) return ERROR.protocol;
    if (open.length > LARGEST_BLOCK || open.parts.length > MOST_FRAMES) return ERROR.enhanceYourCalm;
    if ((frame.flags & FLAG.endHeaders) === 0) return undefined;
    this.#open = undefined;
    const { parts, stream, endStream, dependsOn } = open;
    const [first] = parts;
    return { stream, endStream, dependsOn, bytes: parts.length === 1 && first !== undefined ? first : Buffer.concat(parts) };
  }
}

const PRIORITY = 5;

function beginning(frame: Frame): Open | ErrorCode {
  let fragment = payloadWithoutPadding(frame);
  let dependsOn: number | undefined;
  if (fragment !== undefined && (frame.flags & FLAG.priority) !== 0) {
    if (fragment.length < PRIORITY) return ERROR.frameSize;
    dependsOn = fragment.readUInt32BE(0) & 0x7fff_ffff;
    fragment = fragment.subarray(PRIORITY);
  }
  if (fragment === undefined) return ERROR.protocol;
  return {
    stream: frame.stream,
    endStream: (frame.flags & FLAG.endStream) !== 0,
    dependsOn,
    parts: [fragment],
    length: fragment.length,
  };
}
