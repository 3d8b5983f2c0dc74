import { FLAG, type Frame } from './frame.ts';

/** The payload of DATA or HEADERS without padding (RFC 9113, section 6.1). Undefined where there is more padding than payload. */
export function payloadWithoutPadding({ flags, payload }: Frame): Buffer | undefined {
  if ((flags & FLAG.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length) return undefined;
  return payload.subarray(1, payload.length - padding);
}
