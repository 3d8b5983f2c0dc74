type Plain = Record<string, unknown>;

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A map field: a plain object that is neither a message (`$typeName`) nor a oneof (`case`). */
function isMap(value: Plain): boolean {
  return !('$typeName' in value) && !('case' in value);
}

function ordered(keys: readonly string[]): boolean {
  return keys.every((key, at) => at === 0 || (keys[at - 1] ?? '') < key);
}

/**
 * True when a message holds a map field whose entries are not sorted by key. protobuf-es writes entries in the order in
 * which they were added, and the same configuration must always give the same bytes. (Keys that are whole numbers keep
 * the order of numbers, which the language fixes.)
 */
export function unsortedMaps(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(unsortedMaps);
  if (!isPlain(value)) return false;
  if (isMap(value) && !ordered(named(value))) return true;
  return Object.values(value).some(unsortedMaps);
}

/** Sorts the entries of every map field in place. */
export function sortMaps(value: unknown): void {
  if (Array.isArray(value)) return value.forEach(sortMaps);
  if (!isPlain(value)) return;
  Object.values(value).forEach(sortMaps);
  if (!isMap(value)) return;
  const keys = named(value).sort();
  for (const key of keys) {
    const entry = value[key];
    delete value[key];
    value[key] = entry;
  }
}

function named(value: Plain): string[] {
  return Object.keys(value).filter((key) => !/^(0|[1-9]\d{0,9})$/.test(key));
}
