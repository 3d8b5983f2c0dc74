// Strategic merge patch, as Kubernetes merges the parts of a pod (API conventions, "strategic merge patch").
import { isObject, type Json, type JsonObject } from './json.ts';

/** Lists that are merged element by element, and by which field; every other list is replaced. */
const KEYS: Readonly<Record<string, string>> = Object.freeze({
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  volumes: 'name',
  imagePullSecrets: 'name',
  env: 'name',
  ports: 'containerPort',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
});

/** Lists whose elements are alternatives: what the patch does not name is dropped (`retainKeys`). */
const WHOLE: ReadonlySet<string> = new Set(['volumes']);

/** `patch` over `base`: maps are merged, lists of named things by their names, null takes away, all else is replaced. */
export function merged(base: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, Json | undefined> = { ...base };
  for (const [field, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const before = base[field];
    const key = KEYS[field];
    if (value === null) delete result[field];
    else if (isObject(value) && isObject(before)) result[field] = merged(before, value);
    else if (key !== undefined && isList(value) && isList(before))
      result[field] = mergedLists(before, value, key, WHOLE.has(field));
    else result[field] = value;
  }
  return result;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function mergedLists(base: readonly Json[], patch: readonly Json[], key: string, whole: boolean): readonly Json[] {
  const result = [...base];
  for (const one of patch) {
    const at = isObject(one) ? result.findIndex((other) => isObject(other) && other[key] === one[key]) : -1;
    const found = result[at];
    if (!isObject(one) || !isObject(found)) result.push(one);
    else result[at] = whole ? one : merged(found, one);
  }
  return result;
}
