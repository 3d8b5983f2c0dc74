import { X509Certificate } from 'node:crypto';
import type { Parsed } from '../../ca/identity/parsed.ts';

/** The roots that a trust domain's certificates must lead to, as configured on this machine. */
export interface TrustBundle {
  readonly roots: readonly X509Certificate[];
  /** The roots again as PEM: what Envoy is given. Only certificate blocks; comments and anything else are left out. */
  readonly pem: string;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const LARGEST_BUNDLE = 1 << 20;

/** All certificates of a PEM text, in order. */
export function parseCertificates(pem: string): Parsed<readonly X509Certificate[]> {
  if (pem.length > LARGEST_BUNDLE) return { ok: false, reason: 'more than 1 MiB of PEM' };
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) return { ok: false, reason: 'no PEM certificate' };
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch {
      return { ok: false, reason: `certificate ${index + 1} cannot be decoded` };
    }
  }
  return { ok: true, value: certificates };
}

/** Parses a root file. Every certificate must be a CA certificate: a leaf pinned by mistake would trust nobody. */
export function parseBundle(pem: string): Parsed<TrustBundle> {
  const parsed = parseCertificates(pem);
  if (!parsed.ok) return parsed;
  const leaf = parsed.value.findIndex((certificate) => !certificate.ca);
  if (leaf !== -1) return { ok: false, reason: `certificate ${leaf + 1} is not a CA certificate` };
  return { ok: true, value: { roots: parsed.value, pem: parsed.value.map((root) => root.toString()).join('') } };
}

/**
 * A bundle with the roots that an authority's answer ends in, as Istio's and our own do: all self-signed certificates of
 * its last block. Undefined where that has none.
 */
export function withRootsOf(certChain: readonly string[], bundle: TrustBundle): TrustBundle | undefined {
  const last = parseCertificates(certChain.length > 1 ? (certChain.at(-1) ?? '') : '');
  if (!last.ok) return undefined;
  const roots = last.value.filter((certificate) => certificate.ca && certificate.checkIssued(certificate));
  const added = roots.filter((root) => !bundle.roots.some((known) => known.raw.equals(root.raw)));
  if (added.length === 0) return undefined;
  const all = [...bundle.roots, ...added];
  return { roots: all, pem: all.map((root) => root.toString()).join('') };
}
