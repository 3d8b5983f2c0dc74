import { isAscii } from 'node:buffer';
import type { BroughtVersions } from '../subscription/event.ts';
import { SameLists } from './same-lists.ts';

/** A google.rpc.Status, as far as a NACK has one. */
export interface WireError {
  readonly code: number;
  readonly message: string;
}

/** What a proxy says it is: `node.user_agent_build_version`. */
export interface EnvoyVersion {
  readonly major: number;
  readonly minor: number;
}

export interface WireRequest {
  nodeId: string;
  envoy: EnvoyVersion | undefined;
  typeUrl: string;
  /** SotW: resource_names; delta: resource_names_subscribe. */
  names: readonly string[];
  readonly unsubscribe: string[];
  readonly initialVersions: BroughtVersions;
  version: string;
  nonce: string;
  error: WireError | undefined;
}

/** What is read so far: entries of the map as they come. */
interface Reading extends WireRequest {
  readonly entries: string[];
  readonly text: (bytes: Buffer, from: number, to: number) => string;
}

type Take = (into: Reading, bytes: Buffer, from: number, to: number) => void;

const node: Take = (into, bytes, from, to) => {
  eachField(bytes, from, to, (field, start, end) => {
    if (field === 1) into.nodeId = text(bytes, start, end);
    // One of: a version as text, or as numbers.
    if (field === 7) into.envoy = undefined;
    if (field === 8) into.envoy = buildVersion(into.envoy, bytes, start, end);
  });
};
/** envoy.config.core.v3.BuildVersion: its first field is the envoy.type.v3.SemanticVersion. */
function buildVersion(before: EnvoyVersion | undefined, bytes: Buffer, from: number, to: number): EnvoyVersion {
  let { major, minor } = before ?? { major: 0, minor: 0 };
  eachField(bytes, from, to, (field, start, end) => {
    if (field !== 1) return;
    eachField(bytes, start, end, (part, _from, _to, number) => {
      if (part === 1) major = number >>> 0;
      if (part === 2) minor = number >>> 0;
    });
  });
  return { major, minor };
}
const error: Take = (into, bytes, from, to) => {
  let { code, message } = into.error ?? { code: 0, message: '' };
  eachField(bytes, from, to, (field, start, end, number) => {
    if (field === 1) code = number | 0;
    if (field === 2) message = text(bytes, start, end);
  });
  into.error = { code, message };
};
const name: Take = (into, bytes, from, to) => void (into.names = [...into.names, into.text(bytes, from, to)]);
const nonce: Take = (into, bytes, from, to) => void (into.nonce = text(bytes, from, to));
const typeUrl: Take = (into, bytes, from, to) => void (into.typeUrl = text(bytes, from, to));
const initialVersion: Take = (into, bytes, from, to) => {
  // As every client writes it: the name and then the version, each shorter than 128 bytes.
  const name = from + 2;
  const version = name + (bytes[from + 1] ?? 0) + 2;
  if (
    bytes[from] === 0x0a &&
    version <= to &&
    version - name < 0x82 &&
    bytes[version - 2] === 0x12 &&
    bytes[version - 1] === to - version &&
    to - version < 0x80
  ) {
    into.entries.push(into.text(bytes, name, version - 2), into.text(bytes, version, to));
    return;
  }
  let [key, value] = ['', ''];
  eachField(bytes, from, to, (field, start, end) => {
    if (field === 1) key = text(bytes, start, end);
    if (field === 2) value = text(bytes, start, end);
  });
  into.entries.push(key, value);
};

const NO_VERSIONS: BroughtVersions = new Map();

/**
 * Names and versions in turn. No client's library writes a name of a map twice; of one that does so the last one counts, and what it did not name
 * at all may be taken for named: that is its own loss.
 */
function versionsOf(entries: readonly string[]): BroughtVersions {
  if (entries.length === 0) return NO_VERSIONS;
  return {
    size: entries.length / 2,
    forEach(visit) {
      for (let at = 0; at + 1 < entries.length; at += 2) visit(entries[at + 1] ?? '', entries[at] ?? '');
    },
  };
}

/** By field number; envoy.service.discovery.v3. All of these are length-delimited; others are passed over. Names (3 in both) come here only with a tag that no library writes. */
const FIELDS: Readonly<Record<'sotw' | 'delta', readonly (Take | undefined)[]>> = Object.freeze({
  sotw: [undefined, (into, bytes, from, to) => void (into.version = text(bytes, from, to)), node, name, typeUrl, nonce, error],
  delta: [
    undefined,
    node,
    typeUrl,
    name,
    (into, bytes, from, to) => void into.unsubscribe.push(text(bytes, from, to)),
    initialVersion,
    nonce,
    error,
  ],
});

/**
 * Reads a DiscoveryRequest or DeltaDiscoveryRequest. By hand, because a proxy that reconnects names all that it has, thousands of names with their
 * versions, and a thousand proxies do at once; protobuf-es makes an object with a property for each name, which costs four times as much.
 * @throws Error when the bytes are no such message
 */
export function readRequest(variant: 'sotw' | 'delta', message: Uint8Array): WireRequest {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const request: Reading = {
    entries: [],
    text: isAscii(bytes) ? asciiText : text,
    nodeId: '',
    envoy: undefined,
    typeUrl: '',
    names: [],
    unsubscribe: [],
    initialVersions: NO_VERSIONS,
    version: '',
    nonce: '',
    error: undefined,
  };
  const fields = FIELDS[variant];
  const cursor = new Cursor(bytes, 0, bytes.length);
  while (cursor.more) {
    if (bytes[cursor.at] === NAMES) {
      const names = namesFrom(cursor, bytes, request.text);
      request.names = request.names.length === 0 ? names : [...request.names, ...names];
      continue;
    }
    oneField(cursor, (field, from, to, _number, delimited) => {
      if (delimited) fields[field]?.(request, bytes, from, to);
      else if (fields[field] !== undefined) throw new Error('a field has another type');
    });
  }
  const { entries, text: _, ...read } = request;
  return { ...read, initialVersions: versionsOf(entries) };
}

/** The tag of resource_names and of resource_names_subscribe: field 3, length-delimited. */
const NAMES = 0x1a;
const lists = new SameLists();

/** All names that follow each other from here on. */
function namesFrom(cursor: Cursor, bytes: Buffer, text: Reading['text']): readonly string[] {
  const start = cursor.at;
  while (cursor.more && bytes[cursor.at] === NAMES) {
    cursor.at += 1;
    cursor.skip(cursor.varint());
  }
  const end = cursor.at;
  return lists.of(bytes.subarray(start, end), () => {
    const names: string[] = [];
    eachField(bytes, start, end, (_field, from, to) => void names.push(text(bytes, from, to)));
    return names;
  });
}

/** Protobuf's wire format (encoding guide): `number` is the value of a varint; the others are bytes `from` to `to`. */
type TakeField = (field: number, from: number, to: number, number: number, delimited: boolean) => void;

function eachField(bytes: Buffer, start: number, end: number, take: TakeField): void {
  for (const cursor = new Cursor(bytes, start, end); cursor.more;) oneField(cursor, take);
}

function oneField(cursor: Cursor, take: TakeField): void {
  const tag = cursor.varint();
  const field = tag >>> 3;
  if (field === 0) throw new Error('a field has no number');
  switch (tag & 7) {
    case 0: {
      const from = cursor.at;
      const value = cursor.varint();
      take(field, from, cursor.at, value, false);
      break;
    }
    case 1:
      cursor.skip(8);
      break;
    case 2: {
      const length = cursor.varint();
      const from = cursor.at;
      cursor.skip(length);
      take(field, from, cursor.at, 0, true);
      break;
    }
    case 5:
      cursor.skip(4);
      break;
    default:
      throw new Error('groups are not taken');
  }
}

class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.at = at;
  }

  get more(): boolean {
    return this.at < this.#end;
  }

  /** Beyond 32 bits nothing is of interest here: lengths are below 2^31, and codes are int32. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (!this.more) throw new Error('the message is cut off');
      const byte = this.#bytes[this.at++] ?? 0;
      if (shift < 28) value |= (byte & 0x7f) << shift;
      else if (shift === 28) value |= (byte & 0x0f) << 28;
      if ((byte & 0x80) === 0) return value >>> 0;
    }
    throw new Error('a number has no end');
  }

  skip(count: number): void {
    if (count > this.#end - this.at) throw new Error('the message is cut off');
    this.at += count;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const asciiText = (bytes: Buffer, from: number, to: number): string => bytes.toString('latin1', from, to);

/** @throws TypeError when the bytes are no UTF-8 */
function text(bytes: Buffer, from: number, to: number): string {
  for (let at = from; at < to; at += 1) {
    if ((bytes[at] ?? 0) > 0x7f) return decoder.decode(bytes.subarray(from, to));
  }
  return bytes.toString('latin1', from, to);
}
