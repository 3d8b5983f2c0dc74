import type { SpiffeId } from '../identity/spiffe-id.ts';
import type { KnownIssuer } from './issuers.ts';
import { isTarget, type Revocation, type RevocationTarget, type Serial } from './revocation.ts';

/** Everything that is cut off, oldest first; and the number of the last revocation list that was published, which only grows. */
export interface RevocationList {
  readonly crlNumber: number;
  readonly entries: readonly Revocation[];
  /** Intermediates under which certificates may be valid. */
  readonly issuers: readonly KnownIssuer[];
  /** When somebody was last cut off (RFC 3339), be that forgotten or lifted since; absent while nobody ever was. */
  readonly newest?: string;
}

export const EMPTY_LIST: RevocationList = Object.freeze({ crlNumber: 0, entries: Object.freeze([]), issuers: Object.freeze([]) });

/** How verifiers know a peer that is cut off. Sorted, without repetitions. */
export interface RevokedPeers {
  readonly identities: readonly SpiffeId[];
  /** Of certificates revoked by themselves; those of revoked identities are known by the identity. */
  readonly serials: readonly Serial[];
  /** As in the list: changes when somebody is cut off, and never when an entry goes. */
  readonly newest?: string;
}

export interface ListedCertificate {
  readonly serial: Serial;
  readonly time: Date;
  readonly reason: string;
}

/** A verifier whose clock is this far behind still takes an expired certificate for valid. */
const SLOW_CLOCKS_MS = 10 * 60_000;

/** The list with an entry in place of the one for the same target. */
export function withEntry(list: RevocationList, entry: Revocation): RevocationList {
  const target: RevocationTarget =
    entry.kind === 'serial' ? { kind: 'serial', serial: entry.serial } : { kind: 'identity', identity: entry.identity };
  return { ...list, entries: [...list.entries.filter((known) => !isTarget(known, target)), entry], newest: entry.time };
}

export function withoutTarget(list: RevocationList, target: RevocationTarget): RevocationList {
  return { ...list, entries: list.entries.filter((known) => !isTarget(known, target)) };
}

/** Forgets expired certificates. An identity stays cut off until somebody lifts it. */
export function pruned(list: RevocationList, now: Date): RevocationList {
  const alive = ({ notAfter }: { readonly notAfter: string }) => Date.parse(notAfter) + SLOW_CLOCKS_MS > now.getTime();
  const entries = list.entries.flatMap((entry): readonly Revocation[] => {
    if (entry.kind === 'serial') return alive(entry) ? [entry] : [];
    return entry.certificates.every(alive) ? [entry] : [{ ...entry, certificates: entry.certificates.filter(alive) }];
  });
  const same = entries.length === list.entries.length && entries.every((entry, index) => entry === list.entries[index]);
  return same ? list : { ...list, entries };
}

export function revokedPeers({ entries, newest }: Pick<RevocationList, 'entries' | 'newest'>): RevokedPeers {
  const identities = new Set<SpiffeId>();
  const serials = new Set<Serial>();
  for (const entry of entries) {
    if (entry.kind === 'identity') identities.add(entry.identity);
    else serials.add(entry.serial);
  }
  return { identities: [...identities].sort(), serials: [...serials].sort(), ...(newest !== undefined && { newest }) };
}

/** What a revocation list holds, in the order of serial numbers. */
export function listedCertificates({ entries }: Pick<RevocationList, 'entries'>): readonly ListedCertificate[] {
  const found = new Map<Serial, ListedCertificate>();
  for (const entry of entries) {
    const certificates = entry.kind === 'serial' ? [entry] : entry.certificates;
    for (const { serial } of certificates) {
      if (!found.has(serial)) found.set(serial, { serial, time: new Date(entry.time), reason: entry.reason });
    }
  }
  return [...found.values()].sort((one, other) => (one.serial < other.serial ? -1 : 1));
}
