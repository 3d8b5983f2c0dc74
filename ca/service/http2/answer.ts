import { varintSize, writeVarint } from '../../protobuf/varint.ts';
import type { FramedMessage } from '../framed.ts';
import type { RpcError } from '../status.ts';
import { FLAG, FRAME, frame, HEADER, writeHeader } from './frame.ts';

// Representations of HPACK (RFC 7541, section 6): nothing is put into the client's table, so a block is the same bytes each time.
const STATUS_200 = Buffer.of(0x88);
/** The table that we do not use has no room: has to be told once, and again after the client said how much it would keep. */
const NO_TABLE = Buffer.of(0x20);
/** The length of a text that does not fit the seven bits for it. */
const LONG = 0x7f;

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < LONG) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  // What is over seven bits follows as protobuf writes its varints (RFC 7541, section 5.1).
  const rest = bytes.length - LONG;
  const length = Buffer.alloc(1 + varintSize(rest), LONG);
  writeVarint(length, 1, rest);
  return Buffer.concat([length, bytes]);
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x00), text(name), text(value)]);
}

const HEAD = Buffer.concat([STATUS_200, literal('content-type', 'application/grpc+proto')]);
const FIRST_HEAD = Buffer.concat([NO_TABLE, HEAD]);
const OK = Buffer.concat([literal('grpc-status', '0'), literal('grpc-message', 'OK')]);

function headOf(tellTable: boolean): Buffer {
  return tellTable ? FIRST_HEAD : HEAD;
}

/** The frames before a message that does not go out at once. */
export function headFrame(stream: number, tellTable: boolean): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders, stream, headOf(tellTable));
}

/** The frame after a message. */
export function okFrame(stream: number): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, OK);
}

/** A whole answer in one buffer; its message must fit one frame. */
export function wholeAnswer(stream: number, { bytes }: FramedMessage, tellTable: boolean): Buffer {
  const head = headOf(tellTable);
  const whole = Buffer.allocUnsafe(3 * HEADER + head.length + bytes.length + OK.length);
  writeHeader(whole, 0, head.length, FRAME.headers, FLAG.endHeaders, stream);
  let at = HEADER;
  whole.set(head, at);
  at += head.length;
  writeHeader(whole, at, bytes.length, FRAME.data, 0, stream);
  at += HEADER;
  whole.set(bytes, at);
  at += bytes.length;
  writeHeader(whole, at, OK.length, FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream);
  whole.set(OK, at + HEADER);
  return whole;
}

/** So long that one frame has room for them, whatever characters they are of: each becomes nine at most. */
const LONGEST_DETAILS = 1000;

/** An error: headers that are trailers too ("gRPC over HTTP2", Trailers-Only). */
export function errorAnswer(stream: number, { code, details, metadata }: RpcError, tellTable: boolean): Buffer {
  // encodeURI throws on half a surrogate pair, which is no text either.
  const message = encodeURI(Buffer.from(details.slice(0, LONGEST_DETAILS)).toString());
  const fields = [headOf(tellTable), literal('grpc-status', String(code)), literal('grpc-message', message)];
  for (const [name, value] of Object.entries(metadata?.toHttp2Headers() ?? {}))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) fields.push(literal(name, String(one)));
  return frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, Buffer.concat(fields));
}
