import { X509Certificate } from 'node:crypto';
import { certificateFields } from '../der/certificate.ts';
import { certificateBlocks } from '../der/pem.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

const MOST_CERTIFICATES = 64;

/** The certificates of a PEM file, at least one. */
export function parseBundle(text: string): Parsed<readonly X509Certificate[]> {
  const blocks = certificateBlocks(text);
  if (blocks.length === 0) return refused('there is no certificate');
  if (blocks.length > MOST_CERTIFICATES) return refused(`there are more than ${MOST_CERTIFICATES} certificates`);
  if (blocks.length !== text.split('-----BEGIN CERTIFICATE-----').length - 1) return refused('a certificate is not valid PEM');
  try {
    return parsed(blocks.map((block) => new X509Certificate(block)));
  } catch {
    return refused('a certificate cannot be parsed');
  }
}

function issuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

/**
 * As issuedBy, for a configured trust anchor: old roots are version 1 certificates, which cannot say that they are a CA's. OpenSSL and
 * Envoy take them as anchors.
 */
function anchoredBy(subject: X509Certificate, root: X509Certificate): boolean {
  const version1 = certificateFields(root.raw) === undefined && root.checkIssued(root);
  return issuedBy(subject, root) || (version1 && subject.checkIssued(root) && subject.verify(root.publicKey));
}

export interface PathToRoot {
  /** Between the CA certificate and the root, without both. */
  readonly between: readonly X509Certificate[];
  readonly root: X509Certificate;
}

/** How a CA certificate leads to one of the roots; undefined when it does not. A root leads to itself. */
export function pathToRoot(
  certificate: X509Certificate,
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): PathToRoot | undefined {
  const between: X509Certificate[] = [];
  for (let current = certificate; ;) {
    const below = current;
    const root = roots.find((candidate) => candidate.raw.equals(below.raw) || anchoredBy(below, candidate));
    if (root !== undefined) return { between, root };
    const next = chain.find((candidate) => candidate !== below && !between.includes(candidate) && issuedBy(below, candidate));
    if (next === undefined) return undefined;
    between.push(next);
    current = next;
  }
}
