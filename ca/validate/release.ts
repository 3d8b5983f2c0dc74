import type { Issuer } from '../sign/issuer.ts';
import { checkIssued } from './certificate.ts';
import type { Intended } from './intended.ts';
import { readBack } from './read-back.ts';

/** What is wrong with a new certificate; undefined when it may be released. */
export type ReleaseCheck = (der: Uint8Array, intended: Intended, issuer: Issuer, now: Date) => string | undefined;

/** How often OpenSSL looks again at certificates of a shape that it has seen. */
const EVERY = 256;

/**
 * Every certificate is read back byte by byte and its signature verified. That leaves nothing open but a mistake in
 * the profile itself, which is the same in all of them: so OpenSSL, which costs five times as much as the reading, sees the first of
 * each issuer and kind of key and then one in 256. It sees every certificate with other names (the control plane's own).
 */
export function releaseCheck(): ReleaseCheck {
  const seen = new WeakMap<Issuer, Map<string, number>>();
  return (der, intended, issuer, now) => {
    const workload = /^URI:[^,]+$/.test(intended.subjectAltName);
    const fault = readBack(der, intended, issuer, now);
    if (fault !== undefined) return fault;
    const counts = seen.get(issuer) ?? new Map<string, number>();
    const count = counts.get(intended.key.kind) ?? 0;
    if (workload && count % EVERY !== 0) {
      counts.set(intended.key.kind, count + 1);
      return undefined;
    }
    const checked = checkIssued(der, intended, issuer, now);
    if (!checked.ok) return checked.fault;
    if (workload) seen.set(issuer, counts.set(intended.key.kind, count + 1));
    return undefined;
  };
}
