const MOST = 16;
const LONGEST = 2048;
const PRINTABLE = /^[\x21-\x7e]+$/;

/** Why a list of audiences cannot be asked for, or undefined. The authority says the same; this spares it the call. */
export function audienceReason(audience: readonly string[]): string | undefined {
  if (audience.length === 0) return 'audience must be specified';
  if (audience.length > MOST) return `more than ${MOST} audiences`;
  if (audience.some((text) => text.length > LONGEST || !PRINTABLE.test(text)))
    return `an audience is empty, longer than ${LONGEST} characters, or not printable ASCII`;
  return undefined;
}

/** A set of audiences as a key: order and repetition do not matter. */
export function audienceKey(audience: readonly string[]): string {
  return JSON.stringify([...new Set(audience)].sort());
}
