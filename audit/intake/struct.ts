import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { ProtobufReader } from '../../ca/protobuf/reader.ts';

/** google.protobuf.Struct holds itself; no filter of ours nests so deep. */
const DEEPEST = 32;

/** google.protobuf.Struct */
export function structIn(reader: ProtobufReader, depth = 0): JsonObject {
  if (depth > DEEPEST) throw new Error('a Struct is nested too deep');
  // Keys may be a caller's: none of them is to reach a prototype.
  const fields: JsonObject = Object.assign(Object.create(null));
  reader.message((tag) => {
    if (tag !== 0x0a) return false;
    reader.entry(
      () => true,
      () => valueIn(reader, depth + 1),
      (key, value) => void (fields[key] = value),
    );
    return true;
  });
  return fields;
}

function valueIn(reader: ProtobufReader, depth: number): JsonValue {
  let value: JsonValue = null;
  reader.message((tag) => {
    if (tag === 0x08) {
      reader.uint32();
      value = null;
    } else if (tag === 0x11) value = reader.double();
    else if (tag === 0x1a) value = reader.text();
    else if (tag === 0x20) value = reader.uint32() !== 0;
    else if (tag === 0x2a) value = structIn(reader, depth);
    else if (tag === 0x32) value = listIn(reader, depth);
    else return false;
    return true;
  });
  return value;
}

function listIn(reader: ProtobufReader, depth: number): JsonValue[] {
  if (depth > DEEPEST) throw new Error('a Struct is nested too deep');
  const values: JsonValue[] = [];
  reader.message((tag) => {
    if (tag !== 0x0a) return false;
    values.push(valueIn(reader, depth + 1));
    return true;
  });
  return values;
}
