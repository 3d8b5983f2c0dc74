import { hex } from '../der/read.ts';
import type { Issuer } from '../sign/issuer.ts';

/**
 * An intermediate under which certificates were issued. When it is replaced its key is gone, and with it the means to make a list for
 * certificates that are still valid under it. A root that is replaced needs no memory: without it in the bundle nothing under it verifies.
 */
export interface KnownIssuer {
  /** Its key identifier, hexadecimal. */
  readonly keyId: string;
  /** The longest that a certificate of it could live. */
  readonly lifetimeSeconds: number;
  /** RFC 3339. It signs no more, and after this moment nothing under it is valid any more. */
  readonly until?: string;
}

function isIntermediate({ certificate }: Issuer): boolean {
  return !certificate.checkIssued(certificate);
}

/** Notes who signs now, who does not any more, and forgets those under whom nothing is valid. The same array when nothing changed. */
export function knownIssuers(
  before: readonly KnownIssuer[],
  signing: readonly Issuer[],
  lifetimeSeconds: number,
  now: Date,
): readonly KnownIssuer[] {
  const here = new Set(signing.filter(isIntermediate).map(({ keyId }) => hex(keyId)));
  const kept = before.flatMap((known): readonly KnownIssuer[] => {
    if (here.has(known.keyId)) {
      const same = known.until === undefined && known.lifetimeSeconds >= lifetimeSeconds;
      return [same ? known : { keyId: known.keyId, lifetimeSeconds: Math.max(known.lifetimeSeconds, lifetimeSeconds) }];
    }
    if (known.until === undefined)
      return [{ ...known, until: new Date(now.getTime() + known.lifetimeSeconds * 1000).toISOString() }];
    return Date.parse(known.until) > now.getTime() ? [known] : [];
  });
  const added = [...here].filter((keyId) => !before.some((known) => known.keyId === keyId));
  const after = [...kept, ...added.map((keyId) => ({ keyId, lifetimeSeconds }))];
  return after.length === before.length && after.every((known, index) => known === before[index]) ? before : after;
}
