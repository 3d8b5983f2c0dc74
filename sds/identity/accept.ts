import type { KeyObject, X509Certificate } from 'node:crypto';
import { type SpiffeId, parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { hasAuthorityMarks } from './authority-marks.ts';
import { parseCertificates, type TrustBundle } from './bundle.ts';
import { verifyChain } from './chain.ts';

/** A certificate that was checked, with its key: what a workload proves its identity with. */
export interface Svid {
  readonly id: SpiffeId;
  readonly leaf: X509Certificate;
  /** From the leaf's issuer up to the one below the root. */
  readonly intermediates: readonly X509Certificate[];
  /** Leaf and intermediates as PEM, leaf first, without the root. */
  readonly chainPem: string;
  readonly key: KeyObject;
  /** Lower-case hexadecimal, as openssl and Envoy's /certs print it. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export type Acceptance = { readonly ok: true; readonly svid: Svid } | { readonly ok: false; readonly reason: string };

/** Enough for any sane chain; stops an answer from filling memory. */
const LARGEST_ANSWER = 256 * 1024;

const refused = (reason: string): Acceptance => ({ ok: false, reason });

/**
 * Checks what an authority sent before anything uses it: the key is ours, the identity is the one asked for and the only
 * one (X.509-SVID, section 2: one URI SAN), it is no CA certificate, it is valid now, and it leads to a configured root.
 * @param certChain PEM blocks as IstioCertificateResponse carries them: leaf first
 */
export function acceptCertificate(
  certChain: readonly string[],
  asked: { readonly id: SpiffeId; readonly key: KeyObject; readonly dnsNames?: readonly string[] },
  bundle: TrustBundle,
  now: number,
): Acceptance {
  if (certChain.reduce((sum, block) => sum + block.length, 0) > LARGEST_ANSWER)
    return refused('the answer is larger than 256 KiB');
  const parsed = parseCertificates(certChain.join('\n'));
  if (!parsed.ok) return refused(parsed.reason);
  const [leaf, ...others] = parsed.value;
  if (leaf === undefined) return refused('no certificate in the answer');
  if (!leaf.checkPrivateKey(asked.key)) return refused('the certificate is for another key');
  const identity = soleSpiffeId(leaf);
  if (!identity.ok) return refused(identity.reason);
  if (identity.id !== asked.id) return refused(`the certificate is for ${identity.id}, asked was ${asked.id}`);
  const lacking = (asked.dnsNames ?? []).find((name) => !dnsNamesOf(leaf).includes(name));
  if (lacking !== undefined) return refused(`the certificate lacks the DNS name ${lacking}`);
  if (hasAuthorityMarks(leaf)) return refused('the certificate is a CA certificate');
  const chain = verifyChain(leaf, others, bundle, now);
  if (!chain.ok) return refused(chain.reason);
  return {
    ok: true,
    svid: {
      id: asked.id,
      leaf,
      intermediates: chain.path.slice(1),
      chainPem: chain.path.map((certificate) => certificate.toString()).join(''),
      key: asked.key,
      serial: leaf.serialNumber.toLowerCase(),
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
    },
  };
}

function dnsNamesOf({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return subjectAltName.split(', ').flatMap((name) => (name.startsWith('DNS:') ? [name.slice('DNS:'.length)] : []));
}

/** The one URI SAN of a certificate as a SPIFFE ID. */
export function soleSpiffeId(certificate: X509Certificate): { ok: true; id: SpiffeId } | { ok: false; reason: string } {
  // node:crypto prints names as `URI:value` joined by ", ", quoting any value that could be mistaken for another name;
  // a quoted one is no SPIFFE ID.
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [name] = names;
  if (name === undefined) return { ok: false, reason: 'the certificate has no URI name' };
  if (names.length > 1) return { ok: false, reason: 'the certificate has more than one URI name' };
  const id = parseSpiffeId(name.slice('URI:'.length));
  return id.ok ? { ok: true, id: id.value } : { ok: false, reason: `the certificate's URI name is no SPIFFE ID: ${id.reason}` };
}
