import { HEADER, type RawFrame } from '../../ca/service/http2/raw-frame.ts';
import { PREFACE } from './conversation.ts';

export interface ParsedFrames {
  readonly frames: readonly RawFrame[];
  /** Less than a frame. */
  readonly rest: Buffer;
}

export function parsedFrames(bytes: Buffer): ParsedFrames {
  const frames: RawFrame[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const end = at + HEADER + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: bytes.subarray(at + HEADER, end),
    });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** Cut so that each chunk ends where a frame does. */
export function frameByFrame(bytes: Buffer): Buffer[] {
  const start = bytes.subarray(0, PREFACE.length);
  const after = bytes.subarray(PREFACE.length);
  const { frames, rest } = parsedFrames(after);
  let at = 0;
  const cut = frames.map(({ payload }) => after.subarray(at, (at += HEADER + payload.length)));
  return [start, ...cut, rest].filter(({ length }) => length > 0);
}
