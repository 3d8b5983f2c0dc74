/** A number that can be computed with: neither infinite nor NaN, both of which YAML can write. */
export function isReal(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
