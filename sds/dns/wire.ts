// As much of the DNS wire format as a proxy needs that answers for addresses and hands everything else on byte by byte (RFC 1035, section 4;
// RFC 6891 for EDNS).
import { isIPv4, isIPv6 } from 'node:net';

export const TYPE_A = 1;
export const TYPE_AAAA = 28;
const TYPE_OPT = 41;
const CLASS_IN = 1;
const HEADER = 12;
const SMALLEST_UDP = 512;
/** What we take and send over UDP at most: more may be cut on its way (dnsflagday.net/2020). */
const LARGEST_UDP = 1232;
const TTL_SECONDS = 30;

export interface Query {
  /** As it came. */
  readonly bytes: Buffer;
  /** Lower case, without a dot at the end; empty for what cannot be a host of the mesh. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends. */
  readonly end: number;
  readonly edns: boolean;
  /** What fits into an answer over UDP. */
  readonly udpBytes: number;
}

/** One question; undefined for what is no query. */
export function parseQuery(bytes: Buffer): Query | undefined {
  if (bytes.length < HEADER) return undefined;
  const flags = bytes.readUInt16BE(2);
  // A response, or another operation than a query.
  if ((flags & 0xf800) !== 0 || bytes.readUInt16BE(4) !== 1) return undefined;
  const name = nameAt(bytes, HEADER);
  if (name === undefined || name.end + 4 > bytes.length) return undefined;
  const end = name.end + 4;
  const internet = bytes.readUInt16BE(name.end + 2) === CLASS_IN;
  const records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  // The OPT record stands alone in queries: its name is the root.
  const edns = records > 0 && bytes.length >= end + 11 && bytes[end] === 0 && bytes.readUInt16BE(end + 1) === TYPE_OPT;
  const udpBytes = edns ? Math.min(LARGEST_UDP, Math.max(SMALLEST_UDP, bytes.readUInt16BE(end + 3))) : SMALLEST_UDP;
  return { bytes, name: internet ? name.text : '', type: bytes.readUInt16BE(name.end), end, edns, udpBytes };
}

/** Labels without compression: a question comes first, so that there is nothing to point to. */
function nameAt(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let here = at;
  for (;;) {
    const length = bytes[here];
    if (length === undefined || length > 63) return undefined;
    // What is no host's name is none of ours; a dot inside of a label would make two names one.
    if (length === 0) return { text: labels.every(isOfHost) ? labels.join('.').toLowerCase() : '', end: here + 1 };
    const label = bytes.subarray(here + 1, here + 1 + length);
    if (label.length !== length || here - at > 253) return undefined;
    labels.push(label.toString('latin1'));
    here += length + 1;
  }
}

const isOfHost = (label: string): boolean => /^[\w-]+$/.test(label);

/** The addresses of the family that is asked for; none is an answer too. */
export function answerOf(query: Query, addresses: readonly string[], most: number): Buffer {
  const wanted = addresses.filter((address) => (query.type === TYPE_A ? isIPv4(address) : isIPv6(address)));
  const whole = response(query, 0, wanted);
  // The client asks again over TCP.
  return whole.length <= most ? whole : response(query, 0x0200, []);
}

/** Server failure: the client may ask somebody else. */
export function failureOf(query: Query): Buffer {
  return response(query, 2, []);
}

function response({ bytes, type, end, edns }: Query, bits: number, addresses: readonly string[]): Buffer {
  const header = Buffer.alloc(HEADER);
  bytes.copy(header, 0, 0, 2);
  // A response, with the client's wish for recursion, which there is.
  header.writeUInt16BE(0x8080 | (bytes.readUInt16BE(2) & 0x0100) | bits, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  header.writeUInt16BE(edns ? 1 : 0, 10);
  const records = addresses.map((address) => {
    const data = type === TYPE_A ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
    const fixed = Buffer.alloc(12);
    // The name is that of the question.
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(type, 2);
    fixed.writeUInt16BE(CLASS_IN, 4);
    fixed.writeUInt32BE(TTL_SECONDS, 6);
    fixed.writeUInt16BE(data.length, 10);
    return Buffer.concat([fixed, data]);
  });
  const option = Buffer.from([0, 0, TYPE_OPT, LARGEST_UDP >>> 8, LARGEST_UDP & 255, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, bytes.subarray(HEADER, end), ...records, ...(edns ? [option] : [])]);
}

function ipv6Bytes(address: string): Buffer {
  // A URL's host has the canonical form, in which an IPv4 tail is gone.
  const text = new URL(`http://[${address.split('%')[0] ?? ''}]/`).hostname.slice(1, -1);
  const [left = '', right] = text.split('::');
  const groups = (part: string): readonly number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(left), right === undefined ? [] : groups(right)];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  const bytes = Buffer.alloc(16);
  for (const [at, group] of all.entries()) bytes.writeUInt16BE(group, at * 2);
  return bytes;
}

/** Whether these bytes answer that question. */
export function isAnswerTo({ bytes: asked, end }: Query, bytes: Buffer): boolean {
  return (
    bytes.length >= end &&
    bytes.readUInt16BE(0) === asked.readUInt16BE(0) &&
    (bytes.readUInt16BE(2) & 0x8000) !== 0 &&
    bytes.readUInt16BE(4) === 1 &&
    bytes.subarray(HEADER, end).toString('latin1').toLowerCase() === asked.subarray(HEADER, end).toString('latin1').toLowerCase()
  );
}

const NAME_ERROR = 3;

/** The name is there, whatever DNS says: what it has no records of is nothing, instead of no name. */
export function existing(bytes: Buffer): Buffer {
  const flags = bytes.readUInt16BE(2);
  if ((flags & 0x000f) !== NAME_ERROR) return bytes;
  const changed = Buffer.from(bytes);
  changed.writeUInt16BE(flags & 0xfff0, 2);
  return changed;
}
