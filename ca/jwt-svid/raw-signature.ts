import { members, soleElement, TAG } from '../der/read.ts';

const COORDINATE = 32;

/**
 * An ES256 signature as JWS has it, r and s of 32 bytes each (RFC 7518, section 3.4), from the DER that signers give; undefined when it is
 * none.
 */
export function rawSignature(der: Uint8Array): Buffer | undefined {
  const [r, s, extra] = members(soleElement(der)) ?? [];
  if (r?.tag !== TAG.integer || s?.tag !== TAG.integer || extra !== undefined) return undefined;
  const raw = Buffer.alloc(2 * COORDINATE);
  for (const [index, { value }] of [r, s].entries()) {
    const digits = value[0] === 0 ? value.subarray(1) : value;
    if (digits.length > COORDINATE) return undefined;
    raw.set(digits, (index + 1) * COORDINATE - digits.length);
  }
  return raw;
}
