import { createHmac, timingSafeEqual } from 'node:crypto';

/** The header that says who sent a message and when: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY` with the shared secret. */
export const SIGNATURE_HEADER = 'Gatehouse-Signature';

function macOf(seconds: number, body: string, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret)
    .update(`${String(seconds)}.${body}`)
    .digest();
}

export function signatureOf(body: string, secret: Uint8Array, now: Date): string {
  const seconds = Math.floor(now.getTime() / 1000);
  return `t=${String(seconds)},v1=${macOf(seconds, body, secret).toString('hex')}`;
}

/** What a receiver does: the message is whole, from who has the secret, and at most `toleranceSeconds` old. */
export function isSigned(header: string, body: string, secret: Uint8Array, now: Date, toleranceSeconds = 300): boolean {
  const [, seconds, hex] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  if (seconds === undefined || hex === undefined) return false;
  if (Math.abs(now.getTime() / 1000 - Number(seconds)) > toleranceSeconds) return false;
  return timingSafeEqual(macOf(Number(seconds), body, secret), Buffer.from(hex, 'hex'));
}
