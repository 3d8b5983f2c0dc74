const DAY_MS = 24 * 3600 * 1000;
const LONGEST_MS = 90 * DAY_MS;

/**
 * How long before its end an authority's certificate is warned of: 90 days, in which a new root can be planned, but for those of short
 * life (an intermediate that an upstream renews) only in the last third, when its renewal is overdue.
 */
export function warnedBeforeMs(notBefore: Date, notAfter: Date): number {
  return Math.min(LONGEST_MS, (notAfter.getTime() - notBefore.getTime()) / 3);
}
