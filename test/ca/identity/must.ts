import type { Parsed } from '../../../ca/identity/parsed.ts';

/** The value of what a test knows to be right. */
export function must<T>(result: Parsed<T>): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}
