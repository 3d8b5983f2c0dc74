import { once } from 'node:events';
import { connect, type OutgoingHttpHeaders } from 'node:http2';
import { duplexPair } from 'node:stream';

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const [HEADERS, SETTINGS, CONTINUATION] = [1, 4, 9];
const [ACK, END_HEADERS, PADDED, PRIORITY] = [0x01, 0x04, 0x08, 0x20];
const HEADER_TABLE_SIZE = 1;

/** What nghttp2's encoder makes of requests on one connection, whose server asked for a dynamic table of `tableBytes`. */
export async function encodedByNode(requests: readonly OutgoingHttpHeaders[], tableBytes: number): Promise<Buffer[]> {
  const [near, far] = duplexPair();
  const session = connect('http://ca', { createConnection: () => near });
  const blocks: Buffer[] = [];
  let [received, begun]: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  let skipped = false;
  far.write(settings(tableBytes));
  for await (const chunk of far) {
    received = Buffer.concat([received, chunk]);
    if (!skipped && received.length >= PREFACE_BYTES) [received, skipped] = [received.subarray(PREFACE_BYTES), true];
    for (let frame = skipped ? firstFrame(received) : undefined; frame !== undefined; frame = firstFrame(received)) {
      const { type, flags, payload } = frame;
      received = received.subarray(FRAME_HEADER_BYTES + payload.length);
      // The encoder knows its table from here on.
      if (type === SETTINGS && flags & ACK)
        for (const headers of requests) session.request(headers, { endStream: true }).on('error', () => {});
      if (type !== HEADERS && type !== CONTINUATION) continue;
      begun = Buffer.concat([begun, type === HEADERS ? fragmentOf(payload, flags) : payload]);
      if (flags & END_HEADERS) [begun] = [Buffer.alloc(0), blocks.push(begun)];
    }
    if (blocks.length === requests.length) break;
  }
  const closed = once(session, 'close');
  session.destroy();
  await closed;
  return blocks;
}

function settings(tableBytes: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + 6);
  frame.writeUIntBE(6, 0, 3);
  frame[3] = SETTINGS;
  frame.writeUInt16BE(HEADER_TABLE_SIZE, FRAME_HEADER_BYTES);
  frame.writeUInt32BE(tableBytes, FRAME_HEADER_BYTES + 2);
  return frame;
}

function firstFrame(bytes: Buffer): { type: number; flags: number; payload: Buffer } | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const end = FRAME_HEADER_BYTES + bytes.readUIntBE(0, 3);
  if (bytes.length < end) return undefined;
  return { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), payload: bytes.subarray(FRAME_HEADER_BYTES, end) };
}

function fragmentOf(payload: Buffer, flags: number): Buffer {
  const padding = flags & PADDED ? payload.readUInt8(0) : 0;
  return payload.subarray((flags & PADDED ? 1 : 0) + (flags & PRIORITY ? 5 : 0), payload.length - padding);
}
