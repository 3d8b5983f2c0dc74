import type { Issuer } from '../sign/issuer.ts';
import type { Intended } from './intended.ts';

const BACKDATED_AT_MOST_MS = 120_000;

/** What is wrong with the validity that was read back from a certificate, in milliseconds since the epoch. */
export function wrongTimes(
  { from, to }: { readonly from: number; readonly to: number },
  intended: Intended,
  issuer: Issuer,
  now: Date,
): string | undefined {
  if (from !== intended.validity.notBefore.getTime() || to !== intended.validity.notAfter.getTime())
    return 'it has another validity';
  if (from > now.getTime() || to <= now.getTime()) return 'it is not valid now';
  if (to - now.getTime() > intended.longestSeconds * 1000) return 'it lives too long';
  if (now.getTime() - from > BACKDATED_AT_MOST_MS + 1000) return 'it is backdated too far';
  const { notBefore, notAfter } = issuer.validity;
  return from < notBefore.getTime() || to > notAfter.getTime() ? 'it outlives its issuer' : undefined;
}
