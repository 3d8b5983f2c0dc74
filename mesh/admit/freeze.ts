/** Freezes a plain value with all that it holds; maps keep their contents by type alone (`ReadonlyMap`). */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  const inner: Iterable<unknown> = value instanceof Map ? value.values() : Object.values(value);
  for (const one of inner) deepFreeze(one);
  return value;
}
