/** When a certificate is valid. Whole seconds: X.509 has no finer time. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface LifetimeRules {
  readonly defaultSeconds: number;
  readonly maxSeconds: number;
}

/** Verifiers whose clock is behind still take a new certificate. Istio backdates by as much. */
export const BACKDATE_SECONDS = 120;
/** Certificates of a few seconds make rotation testable in seconds. */
const SHORTEST_SECONDS = 1;

/** Seconds to give for what was asked; 0 asks for the default. Undefined when the wish makes no sense. */
export function lifetime(asked: number, rules: LifetimeRules): number | undefined {
  if (!Number.isFinite(asked) || asked < 0) return undefined;
  const wish = asked === 0 ? rules.defaultSeconds : Math.floor(asked);
  return Math.min(Math.max(wish, SHORTEST_SECONDS), rules.maxSeconds);
}

/**
 * The validity of a certificate issued now: never before or after its issuer's. Undefined when nothing valid would be left.
 * Counted from the start of the current second, so that it is never longer than what was granted.
 */
export function validity(now: Date, seconds: number, issuer: Validity): Validity | undefined {
  const second = Math.floor(now.getTime() / 1000) * 1000;
  const notBefore = Math.max(second - BACKDATE_SECONDS * 1000, issuer.notBefore.getTime());
  const notAfter = Math.min(second + seconds * 1000, issuer.notAfter.getTime());
  if (now < issuer.notBefore || notAfter <= now.getTime()) return undefined;
  return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
}
