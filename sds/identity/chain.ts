import type { X509Certificate } from 'node:crypto';
import type { TrustBundle } from './bundle.ts';

/** Leaf and intermediates; deeper chains are refused rather than walked. */
const DEEPEST = 6;

export type ChainCheck =
  { readonly ok: true; readonly path: readonly X509Certificate[] } | { readonly ok: false; readonly reason: string };

/**
 * Finds the path from a leaf over the given intermediates to a root of the bundle (RFC 5280, section 6.1: signature,
 * name chaining, CA flag and validity; name constraints and policies are left to Envoy's own verifier, which every peer
 * applies again). The path holds leaf and intermediates, leaf first, without the root.
 */
export function verifyChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  bundle: TrustBundle,
  now: number,
): ChainCheck {
  if (intermediates.length > DEEPEST) return { ok: false, reason: `more than ${DEEPEST} intermediates` };
  const path: X509Certificate[] = [];
  let current = leaf;
  for (;;) {
    const expired = outsideValidity(current, now);
    if (expired !== undefined) return { ok: false, reason: expired };
    path.push(current);
    const root = bundle.roots.find((candidate) => issued(candidate, current));
    if (root !== undefined) {
      const reason = outsideValidity(root, now);
      return reason === undefined ? { ok: true, path } : { ok: false, reason };
    }
    if (path.length > DEEPEST) return { ok: false, reason: `more than ${DEEPEST} intermediates` };
    const below = current;
    const next = intermediates.find((candidate) => !path.includes(candidate) && issued(candidate, below));
    if (next === undefined) return { ok: false, reason: 'the chain does not lead to a root of the trust bundle' };
    current = next;
  }
}

function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

function outsideValidity(certificate: X509Certificate, now: number): string | undefined {
  const subject = certificate.ca ? 'a CA certificate of the chain' : 'the certificate';
  if (certificate.validToDate.getTime() <= now) return `${subject} has expired (${certificate.validTo})`;
  if (certificate.validFromDate.getTime() > now + CLOCK_SKEW_MS) return `${subject} is not valid before ${certificate.validFrom}`;
  return undefined;
}

/** How far this machine's clock may be behind the authority's. */
const CLOCK_SKEW_MS = 60_000;
