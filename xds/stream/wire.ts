import type { EncodedResource } from '../resource-set.ts';
import type { Response, Variant } from '../subscription/event.ts';

// Field tags (number << 3 | 2, all length-delimited) of envoy.service.discovery.v3.
const VERSION = 0x0a; // DiscoveryResponse 1, DeltaDiscoveryResponse 1, Resource 1
const RESOURCES = 0x12; // DiscoveryResponse 2, DeltaDiscoveryResponse 2, and Resource 2 (the Any)
const NAME = 0x1a; // Resource 3
const TYPE_URL = 0x22; // both, 4
const NONCE = 0x2a; // both, 5
const REMOVED = 0x32; // DeltaDiscoveryResponse 6

const control = new Map<string, Buffer>();

/**
 * The bytes of a DiscoveryResponse or DeltaDiscoveryResponse, put together from resources that are encoded already: one
 * allocation and one copy for each response, no message objects.
 */
export function encodeResponse(variant: Variant, response: Response): Buffer {
  const { resources } = response;
  const inner = variant === 'delta' ? resources.map(resourceSize) : resources.map(({ any }) => any.byteLength);
  const texts: (readonly [number, Buffer])[] = [
    [TYPE_URL, constant(response.type)],
    [NONCE, Buffer.from(response.nonce)],
    ...response.removed.map((name) => [REMOVED, Buffer.from(name)] as const),
  ];
  const version = Buffer.from(response.version);
  let size = fieldSize(version.length);
  for (const bytes of inner) size += fieldSize(bytes);
  for (const [, text] of texts) size += fieldSize(text.length);
  const out = Buffer.allocUnsafe(size);
  let at = writeBytes(out, 0, VERSION, version);
  for (const [index, resource] of resources.entries()) {
    if (variant === 'sotw') at = writeBytes(out, at, RESOURCES, resource.any);
    else at = writeResource(out, at, inner[index] ?? 0, resource);
  }
  for (const [tag, text] of texts) at = writeBytes(out, at, tag, text);
  return out;
}

function constant(text: string): Buffer {
  const known = control.get(text);
  if (known !== undefined) return known;
  const made = Buffer.from(text);
  control.set(text, made);
  return made;
}

function resourceSize({ name, version, any }: EncodedResource): number {
  return fieldSize(Buffer.byteLength(version)) + fieldSize(any.byteLength) + fieldSize(Buffer.byteLength(name));
}

function writeResource(out: Buffer, start: number, size: number, { name, version, any }: EncodedResource): number {
  out[start] = RESOURCES;
  let at = writeLength(out, start + 1, size);
  at = writeText(out, at, VERSION, version);
  at = writeBytes(out, at, RESOURCES, any);
  return writeText(out, at, NAME, name);
}

function writeText(out: Buffer, at: number, tag: number, text: string): number {
  out[at] = tag;
  const start = writeLength(out, at + 1, Buffer.byteLength(text));
  return start + out.write(text, start);
}

function writeBytes(out: Buffer, at: number, tag: number, bytes: Uint8Array): number {
  out[at] = tag;
  const start = writeLength(out, at + 1, bytes.byteLength);
  out.set(bytes, start);
  return start + bytes.byteLength;
}

/** Protobuf varint; lengths here are below 2^31. */
function writeLength(out: Buffer, start: number, length: number): number {
  let [at, rest] = [start, length];
  while (rest > 0x7f) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** Tag, length and content of a length-delimited field. */
function fieldSize(length: number): number {
  let size = 2 + length;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}
