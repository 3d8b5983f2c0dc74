import { varintSize, writeVarint } from '../../ca/protobuf/varint.ts';
import type { EncodedResource } from '../resource-set.ts';
import type { Response, Variant } from '../subscription/event.ts';
import { inParts, PART_BYTES } from '../subscription/due.ts';
import { SharedBodies } from './shared-bodies.ts';

// Field tags (number << 3 | 2, all length-delimited) of envoy.service.discovery.v3.
const VERSION = 0x0a; // DiscoveryResponse 1, DeltaDiscoveryResponse 1, Resource 1
const RESOURCES = 0x12; // DiscoveryResponse 2, DeltaDiscoveryResponse 2, and Resource 2 (the Any)
const NAME = 0x1a; // Resource 3
const TYPE_URL = 0x22; // both, 4
const NONCE = 0x2a; // both, 5
const REMOVED = 0x32; // DeltaDiscoveryResponse 6

/** Resources from this size on are sent from where they are; smaller ones are copied next to each other. */
const BY_REFERENCE = 16 * 1024;

const WORTH_DIVIDING = 64;

export interface Encoded {
  /** The message is these, one after another. Shared with other streams: never written to. */
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  /** How much of it is memory of its own. */
  readonly copied: number;
}

const shared: Readonly<Record<Variant, SharedBodies>> = Object.freeze({ sotw: new SharedBodies(), delta: new SharedBodies() });
const constants = new Map<string, Buffer>();

/**
 * The bytes of a DiscoveryResponse or DeltaDiscoveryResponse, put together from resources that are encoded already. What is
 * this stream's own (version, nonce, what is removed) is written for it; the resources, nearly all of the bytes, are the same
 * memory for each stream that is sent the same ones.
 */
export function encodeResponse(variant: Variant, response: Response): Encoded {
  const { resources } = response;
  const head = fields([[VERSION, Buffer.from(response.version)]]);
  const bodies = partsOf(resources).map((part) => shared[variant].of(part, () => encodeBody(variant, part)));
  const tail = fields([
    [TYPE_URL, constant(response.type)],
    [NONCE, Buffer.from(response.nonce)],
    ...response.removed.map((name) => [REMOVED, Buffer.from(name)] as const),
  ]);
  return {
    chunks: [head, ...bodies.flatMap(({ chunks }) => chunks), tail],
    byteLength: bodies.reduce((sum, { byteLength }) => sum + byteLength, head.byteLength + tail.byteLength),
    copied: head.byteLength + tail.byteLength,
  };
}

/** Long lists in the parts that others have in theirs too. */
function partsOf(resources: readonly EncodedResource[]): readonly (readonly EncodedResource[])[] {
  return resources.length < WORTH_DIVIDING ? [resources] : inParts(resources, PART_BYTES);
}

function encodeBody(variant: Variant, resources: readonly EncodedResource[]): Encoded {
  const inner = variant === 'delta' ? resources.map(resourceSize) : resources.map(({ any }) => any.byteLength);
  let byteLength = 0;
  let copied = 0;
  for (const [index, { any }] of resources.entries()) {
    const size = fieldSize(inner[index] ?? 0);
    byteLength += size;
    copied += any.byteLength < BY_REFERENCE ? size : size - any.byteLength;
  }
  const out = Buffer.allocUnsafeSlow(copied);
  const chunks: Uint8Array[] = [];
  let [at, from] = [0, 0];
  const put = (any: Uint8Array): void => {
    if (any.byteLength < BY_REFERENCE) {
      at = writeBytes(out, at, RESOURCES, any);
      return;
    }
    out[at] = RESOURCES;
    at = writeVarint(out, at + 1, any.byteLength);
    chunks.push(out.subarray(from, at), any);
    from = at;
  };
  for (const [index, { name, version, any }] of resources.entries()) {
    if (variant === 'sotw') put(any);
    else {
      out[at] = RESOURCES;
      at = writeVarint(out, at + 1, inner[index] ?? 0);
      at = writeText(out, at, VERSION, version);
      put(any);
      at = writeText(out, at, NAME, name);
    }
  }
  if (at > from) chunks.push(out.subarray(from, at));
  return { chunks, byteLength, copied };
}

function fields(list: readonly (readonly [number, Uint8Array])[]): Buffer {
  const out = Buffer.allocUnsafe(list.reduce((sum, [, bytes]) => sum + fieldSize(bytes.byteLength), 0));
  let at = 0;
  for (const [tag, bytes] of list) at = writeBytes(out, at, tag, bytes);
  return out;
}

function constant(text: string): Buffer {
  const known = constants.get(text);
  if (known !== undefined) return known;
  const made = Buffer.from(text);
  constants.set(text, made);
  return made;
}

function resourceSize({ name, version, any }: EncodedResource): number {
  return fieldSize(Buffer.byteLength(version)) + fieldSize(any.byteLength) + fieldSize(Buffer.byteLength(name));
}

function writeText(out: Buffer, at: number, tag: number, text: string): number {
  out[at] = tag;
  const start = writeVarint(out, at + 1, Buffer.byteLength(text));
  return start + out.write(text, start);
}

function writeBytes(out: Buffer, at: number, tag: number, bytes: Uint8Array): number {
  out[at] = tag;
  const start = writeVarint(out, at + 1, bytes.byteLength);
  out.set(bytes, start);
  return start + bytes.byteLength;
}

/** Tag, length and content of a length-delimited field. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}
