import { isJson, type Json, textAt } from '../api/json.ts';

/** An object as it came from the API server: whatever else it is, it has a name. */
export interface ApiObject {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly json: Json;
}

/** Undefined for what is no object of the API. */
export function apiObject(value: unknown): ApiObject | undefined {
  if (!isJson(value)) return undefined;
  const name = textAt(value, 'metadata', 'name');
  if (name === '') return undefined;
  return {
    namespace: textAt(value, 'metadata', 'namespace'),
    name,
    resourceVersion: textAt(value, 'metadata', 'resourceVersion'),
    json: value,
  };
}
