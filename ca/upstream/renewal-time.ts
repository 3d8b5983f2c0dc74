import type { Validity } from '../sign/validity.ts';

/** The part of an intermediate's life after which it is renewed; what is left is the time that an upstream may be away. */
const RENEW_AFTER = 0.5;
const JITTER = 0.1;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** When to renew: at half of the life, up to a tenth sooner or later, so that control planes started together part. */
export function renewalTime({ notBefore, notAfter }: Validity, random: () => number): Date {
  const life = notAfter.getTime() - notBefore.getTime();
  return new Date(notBefore.getTime() + life * (RENEW_AFTER + JITTER * (2 * random() - 1)));
}

/**
 * How long to wait after so many failures in a row: from a second to a minute at first, doubling to an hour at most, shorter for
 * intermediates of short life, so that there are always tens of tries before the end.
 */
export function retryDelay(failures: number, { notBefore, notAfter }: Validity, random: () => number): number {
  const life = notAfter.getTime() - notBefore.getTime();
  const first = Math.min(Math.max(life / 2_000, SECOND / 5), MINUTE);
  const longest = Math.min(Math.max(life / 50, first), 60 * MINUTE);
  return Math.min(first * 2 ** Math.min(failures - 1, 20), longest) * (0.75 + random() / 2);
}
