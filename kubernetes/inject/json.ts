/** A Kubernetes object as it came: what is not known here is kept as it is. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [field: string]: Json | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectAt(value: JsonObject, field: string): JsonObject {
  const found = value[field];
  return isObject(found) ? found : {};
}

export function listAt(value: JsonObject, field: string): readonly JsonObject[] {
  const found = value[field];
  return Array.isArray(found) ? found.filter(isObject) : [];
}

export function textAt(value: JsonObject, field: string): string | undefined {
  const found = value[field];
  return typeof found === 'string' ? found : undefined;
}

export type TextMap = Readonly<Record<string, string>>;

/** The entries of a map that are texts, as labels and annotations are. */
export function textsAt(value: JsonObject, field: string): TextMap {
  return Object.fromEntries(
    Object.entries(objectAt(value, field)).flatMap(([key, one]) => (typeof one === 'string' ? [[key, one]] : [])),
  );
}

/** Without the fields that are undefined. */
export function defined(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
