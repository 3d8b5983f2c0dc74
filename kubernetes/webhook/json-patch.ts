import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json, type JsonObject } from '../inject/json.ts';

function escaped(field: string): string {
  return field.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Operations (RFC 6902) that make `before` into `after`. Lists are replaced as a whole. */
export function jsonPatch(before: JsonObject, after: JsonObject, path = ''): readonly JsonObject[] {
  const removed = Object.keys(before)
    .filter((field) => after[field] === undefined && before[field] !== undefined)
    .map((field) => ({ op: 'remove', path: `${path}/${escaped(field)}` }));
  const changed = Object.entries(after).flatMap(([field, value]: [string, Json | undefined]): readonly JsonObject[] => {
    const old = before[field];
    if (value === undefined || isDeepStrictEqual(old, value)) return [];
    const at = `${path}/${escaped(field)}`;
    if (isObject(old) && isObject(value)) return jsonPatch(old, value, at);
    return [{ op: old === undefined ? 'add' : 'replace', path: at, value }];
  });
  return [...removed, ...changed];
}
