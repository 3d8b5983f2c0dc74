/** Random bytes as a parameter: node:crypto's randomBytes in production. */
export type RandomBytes = (size: number) => Uint8Array;

/**
 * A serial number: 16 bytes, positive, 126 random bits, in the one encoding that needs no padding (RFC 5280, section 4.1.2.2: at most 20
 * bytes, positive; the CA/Browser Forum asks for 64 random bits).
 */
export function newSerial(random: RandomBytes): Uint8Array {
  const serial = new Uint8Array(random(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

const POOL = 4096;

/** Random bytes for serials from a larger draw, which costs a tenth: serials are unpredictable until used, and public after. */
export function pooled(random: RandomBytes): RandomBytes {
  let pool: Uint8Array = new Uint8Array();
  let at = 0;
  return (size) => {
    if (at + size > pool.length) [pool, at] = [random(Math.max(POOL, size)), 0];
    at += size;
    return pool.subarray(at - size, at);
  };
}
