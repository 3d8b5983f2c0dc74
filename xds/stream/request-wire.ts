import { isAscii } from 'node:buffer';
import { ProtobufReader } from '../../ca/protobuf/reader.ts';
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

/** Reads one field, after its tag. */
type Take = (into: Reading, reader: ProtobufReader) => void;

const node: Take = (into, reader) => {
  reader.message((tag) => {
    if (tag === 0x0a) into.nodeId = textIn(reader);
    else if (tag === 0x42) into.envoy = buildVersion(into.envoy, reader);
    else {
      // One of: a version as text, or as numbers.
      if (tag === 0x3a) into.envoy = undefined;
      return false;
    }
    return true;
  });
};
/** envoy.config.core.v3.BuildVersion: its first field is the envoy.type.v3.SemanticVersion. */
function buildVersion(before: EnvoyVersion | undefined, reader: ProtobufReader): EnvoyVersion {
  let { major, minor } = before ?? { major: 0, minor: 0 };
  const number = (tag: number): boolean => {
    if (tag === 0x08) major = reader.uint32();
    else if (tag === 0x10) minor = reader.uint32();
    else return false;
    return true;
  };
  reader.message((tag) => {
    if (tag !== 0x0a) return false;
    reader.message(number);
    return true;
  });
  return { major, minor };
}
const error: Take = (into, reader) => {
  let { code, message } = into.error ?? { code: 0, message: '' };
  reader.message((tag) => {
    if (tag === 0x08) code = reader.uint32() | 0;
    else if (tag === 0x12) message = textIn(reader);
    else return false;
    return true;
  });
  into.error = { code, message };
};
const initialVersion: Take = (into, reader) => {
  const to = reader.delimited();
  const { bytes, at: from } = reader;
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
    reader.at = to;
    return;
  }
  let [key, value] = ['', ''];
  reader.within(to, (tag) => {
    if (tag === 0x0a) key = textIn(reader);
    else if (tag === 0x12) value = textIn(reader);
    else return false;
    return true;
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

/** By field number; envoy.service.discovery.v3. All of these are length-delimited; others are passed over. */
const FIELDS: Readonly<Record<'sotw' | 'delta', readonly (Take | undefined)[]>> = Object.freeze({
  sotw: [
    undefined,
    (into, reader) => void (into.version = textIn(reader)),
    node,
    names,
    (into, reader) => void (into.typeUrl = textIn(reader)),
    (into, reader) => void (into.nonce = textIn(reader)),
    error,
  ],
  delta: [
    undefined,
    node,
    (into, reader) => void (into.typeUrl = textIn(reader)),
    names,
    (into, reader) => void into.unsubscribe.push(textIn(reader)),
    initialVersion,
    (into, reader) => void (into.nonce = textIn(reader)),
    error,
  ],
});

/**
 * Reads a DiscoveryRequest or DeltaDiscoveryRequest. By hand, because a proxy that reconnects names all that it has, thousands of names with their
 * versions, and a thousand proxies do at once; protobuf-es makes an object with a property for each name, which costs four times as much.
 * @throws Error when the bytes are no such message
 */
export function readRequest(variant: 'sotw' | 'delta', message: Uint8Array): WireRequest {
  const reader = new ProtobufReader(message);
  const request: Reading = {
    entries: [],
    text: isAscii(reader.bytes) ? asciiText : text,
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
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const take = fields[tag >>> 3];
    if (take === undefined) reader.skip(tag);
    else if ((tag & 7) === 2) take(request, reader);
    else throw new Error('a field has another type');
  }
  const { entries, text: _, ...read } = request;
  return { ...read, initialVersions: versionsOf(entries) };
}

/** The tag of resource_names and of resource_names_subscribe: field 3, length-delimited. */
const NAMES = 0x1a;
const lists = new SameLists();

/** All names that follow each other from here on. */
function names(into: Reading, reader: ProtobufReader): void {
  const { bytes, at: start } = reader;
  reader.at = reader.delimited();
  while (bytes[reader.at] === NAMES) {
    reader.at += 1;
    reader.at = reader.delimited();
  }
  const end = reader.at;
  const found = lists.of(bytes.subarray(start, end), () => {
    const list: string[] = [];
    for (reader.at = start; reader.at < end; reader.at += 1) list.push(textIn(reader, into.text));
    reader.at = end;
    return list;
  });
  into.names = into.names.length === 0 ? found : [...into.names, ...found];
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

/** @throws TypeError when the bytes are no UTF-8 */
function textIn(reader: ProtobufReader, read = text): string {
  const end = reader.delimited();
  const found = read(reader.bytes, reader.at, end);
  reader.at = end;
  return found;
}
