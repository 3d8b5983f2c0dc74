import { TAG } from './read.ts';

/** One DER element from its contents. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...contents]);
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  if (length < 0x10000) return [0x82, length >> 8, length & 0xff];
  // Revocation lists of many certificates.
  if (length < 0x1000000) return [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  throw new RangeError(`a DER element of ${length} bytes is never written here`);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return element(TAG.sequence, ...contents);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(TAG.bitString, Buffer.from([unusedBits]), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return element(TAG.octetString, bytes);
}

/** An INTEGER that is never negative, from its big-endian digits. */
export function unsignedInteger(digits: Uint8Array): Buffer {
  const start = digits.findIndex((digit) => digit !== 0);
  const least = start === -1 ? Buffer.from([0]) : digits.subarray(start);
  return element(TAG.integer, ...((least[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), least);
}

export const TRUE: Uint8Array = Buffer.from('0101ff', 'hex');

/** UTCTime until 2049, GeneralizedTime after (RFC 5280, section 4.1.2.5). Whole seconds. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d{3}Z$/g, '');
  const short = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
  const text = `${short ? digits.slice(2) : digits}Z`;
  return element(short ? TAG.utcTime : TAG.generalizedTime, Buffer.from(text, 'latin1'));
}
