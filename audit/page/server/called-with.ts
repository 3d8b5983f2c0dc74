import { addUses, type CertificateUse, OTHER_CERTIFICATES } from '../../model/certificate-use.ts';
import type { CalledWith, CertificateSummary } from '../api/details.ts';
import { certificateKey, type CertificateName } from './certificates.ts';
import type { ObservedLine } from './observed.ts';

/** Fewer than an edge can have: the latest are listed. */
const MOST_LISTED = 50;

/** Calls in which the caller showed a certificate of an identity. */
function proven(lines: readonly ObservedLine[]): readonly ObservedLine[] {
  return lines.filter(({ key }) => key.mtls && key.sourcePrincipal !== '' && key.verdict !== 'unreached');
}

function usesByIdentity(lines: readonly ObservedLine[]): ReadonlyMap<string, readonly CertificateUse[]> {
  const uses = new Map<string, readonly CertificateUse[]>();
  for (const { key, certificates = [] } of proven(lines))
    uses.set(key.sourcePrincipal, addUses(uses.get(key.sourcePrincipal), certificates, Number.POSITIVE_INFINITY) ?? []);
  return uses;
}

/** The certificates that proxies named, latest first, as many as are listed. */
export function certificatesNamed(lines: readonly ObservedLine[]): readonly (CertificateName & CertificateUse)[] {
  return [...usesByIdentity(lines)]
    .flatMap(([identity, uses]) => uses.map((use) => ({ ...use, identity })))
    .filter(({ serial }) => serial !== OTHER_CERTIFICATES)
    .sort((a, b) => b.lastSeen - a.lastSeen || (a.serial < b.serial ? -1 : 1));
}

/** With which certificates an edge was called, and on what evidence each was issued. `issued`: by `certificateKey`. */
export function calledWith(lines: readonly ObservedLine[], issued: ReadonlyMap<string, CertificateSummary>): CalledWith {
  const named = certificatesNamed(lines);
  let [unnamed, wholeHours] = [0, false];
  for (const { tally, certificates = [] } of proven(lines)) {
    const total = certificates.reduce((sum, { serial, count }) => (serial === OTHER_CERTIFICATES ? sum : sum + count), 0);
    if (total > tally.count) wholeHours = true;
    unnamed += Math.max(0, tally.count - total);
  }
  return {
    certificates: named.slice(0, MOST_LISTED).map(({ identity, serial, count, firstSeen, lastSeen }) => ({
      identity,
      serial,
      calls: count,
      firstSeen: new Date(firstSeen).toISOString(),
      lastSeen: new Date(lastSeen).toISOString(),
      issued: issued.get(certificateKey({ identity, serial })) ?? null,
    })),
    omitted: Math.max(0, named.length - MOST_LISTED),
    unnamed,
    wholeHours,
  };
}
