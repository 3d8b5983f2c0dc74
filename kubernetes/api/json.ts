/** A mapping that came as JSON. */
export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The mapping at a path of keys; empty where there is none. */
export function mapAt(value: unknown, ...path: readonly string[]): Json {
  let here = value;
  for (const key of path) here = isJson(here) ? here[key] : undefined;
  return isJson(here) ? here : {};
}

/** The text at a path of keys; empty where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const last = path.at(-1);
  const found = last === undefined ? value : mapAt(value, ...path.slice(0, -1))[last];
  return typeof found === 'string' ? found : '';
}

/** The list at a path of keys; empty where there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const last = path.at(-1);
  const found = last === undefined ? value : mapAt(value, ...path.slice(0, -1))[last];
  return Array.isArray(found) ? found : [];
}
