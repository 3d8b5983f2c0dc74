import { ERROR, type ErrorCode, FRAME, frame } from './frame.ts';

// Identifiers (RFC 9113, section 6.5.2).
const [HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE] = [1, 2, 3, 4, 5];
const [SMALLEST_FRAME, LARGEST_FRAME] = [16_384, 16_777_215];
const ENTRY = 6;

/** Bytes that may be sent on a stream, and on the connection, before the other side gives more (RFC 9113, section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;

export const LARGEST_WINDOW = 0x7fff_ffff;

/** What a client's SETTINGS change for a server that pushes nothing, compresses nothing and sends the smallest frames. */
export interface PeerSettings {
  readonly initialWindow?: number;
  /** Whether it said how large a table it keeps for compressed headers: the next header block has to answer that. */
  readonly tableSize: boolean;
}

/** Reads the payload of SETTINGS, of which later entries win; the connection's error where it is none. */
export function readSettings(payload: Buffer): PeerSettings | ErrorCode {
  if (payload.length % ENTRY !== 0) return ERROR.frameSize;
  let initialWindow: number | undefined;
  let tableSize = false;
  for (let at = 0; at < payload.length; at += ENTRY) {
    const [id, value] = [payload.readUInt16BE(at), payload.readUInt32BE(at + 2)];
    if (id === HEADER_TABLE_SIZE) tableSize = true;
    else if (id === ENABLE_PUSH && value > 1) return ERROR.protocol;
    else if (id === MAX_FRAME_SIZE && (value < SMALLEST_FRAME || value > LARGEST_FRAME)) return ERROR.protocol;
    else if (id === INITIAL_WINDOW_SIZE) {
      if (value > LARGEST_WINDOW) return ERROR.flowControl;
      initialWindow = value;
    }
  }
  return { tableSize, ...(initialWindow !== undefined && { initialWindow }) };
}

/** Our SETTINGS. Windows, frames and tables have their default sizes, so that whoever takes the connection over can rely on them. */
export function ownSettings(concurrentStreams: number): Buffer {
  const payload = Buffer.alloc(ENTRY);
  payload.writeUInt16BE(MAX_CONCURRENT_STREAMS, 0);
  payload.writeUInt32BE(concurrentStreams, 2);
  return frame(FRAME.settings, 0, 0, payload);
}
