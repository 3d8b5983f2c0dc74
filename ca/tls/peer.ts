import { X509Certificate } from 'node:crypto';
import { type CertificateFields, certificateFields } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { hex, soleElement, TAG } from '../der/read.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import type { Revoked } from '../revocation/revocations.ts';
import { parseSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';

interface PeerCertificate {
  readonly raw: Buffer;
  readonly fingerprint256: string;
  readonly serialNumber?: string;
}

/** What every grpc-js server call offers. grpc-js shows the peer's certificate only when TLS verified it against our roots. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate | undefined };
}

/** Who is at the other end of the TLS connection, from its verified client certificate only. */
export type PeerOf = (call: AuthenticatedCall) => Parsed<SpiffeId>;

interface Known {
  readonly id: SpiffeId;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

const MOST_REMEMBERED = 10_000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/**
 * Verifies peers a second time, after TLS: a resumed session is not checked again by OpenSSL, and its certificate may have expired since.
 * Issuer, signature and name are looked at once for each certificate; its times and whether it is revoked on every call.
 * @param issuers our own CA certificates: the only ones whose certificates authenticate; another array when they changed
 */
export function peerVerifier(
  issuers: () => readonly X509Certificate[],
  clock: () => Date,
  revoked: Revoked = () => undefined,
): PeerOf {
  const remembered = new Map<string, Known>();
  let trusted = issuers();
  return (call) => {
    if (trusted !== issuers()) {
      trusted = issuers();
      remembered.clear();
    }
    const presented = call.getAuthContext().sslPeerCertificate;
    if (presented === undefined) return refused('no client certificate of this authority was presented');
    let known = remembered.get(presented.fingerprint256);
    if (known === undefined) {
      const checked = verifyPeer(presented.raw, trusted);
      if (!checked.ok) return checked;
      known = checked.value;
      if (remembered.size >= MOST_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
      remembered.set(presented.fingerprint256, known);
    }
    const now = clock().getTime();
    if (now >= known.notAfter) return refused('the client certificate has expired');
    if (now < known.notBefore) return refused('the client certificate is not valid yet');
    const cut = revoked(known.id, known.serial);
    return cut === undefined ? parsed(known.id) : refused(cut);
  };
}

/** Everything about a peer's certificate but its times. */
function verifyPeer(der: Uint8Array, issuers: readonly X509Certificate[]): Parsed<Known> {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return refused('the client certificate cannot be parsed');
  }
  const fields = certificateFields(certificate.raw);
  if (fields === undefined) return refused('the client certificate is malformed');
  if (!isLeaf(certificate, fields)) return refused('the client certificate may sign certificates or revocation lists');
  if (!extendedUsages(certificate)?.includes(CLIENT_AUTH))
    return refused('the client certificate is not for client authentication');
  const genuine = issuers.some((issuer) => issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
  if (!genuine) return refused('the client certificate is of another authority');
  const id = soleSpiffeId(certificate);
  if (!id.ok) return id;
  return parsed({
    id: id.value,
    serial: certificate.serialNumber.toLowerCase(),
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
  });
}

// keyCertSign and cRLSign (RFC 5280, section 4.2.1.3), which no leaf may have (X.509-SVID, section 4.3).
const CA_USAGES = 0x06;

/** No CA by its basic constraints, no CA by its key usage: X509Certificate.ca is true only where both say so. */
function isLeaf(certificate: X509Certificate, { extensions }: CertificateFields): boolean {
  const constraints = extensions.get(OID.basicConstraints);
  const usage = extensions.get(OID.keyUsage);
  const bits = usage && soleElement(usage.value);
  const first = bits?.tag === TAG.bitString ? bits.value[1] : undefined;
  if (certificate.ca || first === undefined || (first & CA_USAGES) !== 0) return false;
  return constraints === undefined || hex(constraints.value) === '3000';
}

/** Undefined where the certificate has no such extension, which node's types leave out. Ours always have it. */
function extendedUsages(certificate: X509Certificate): readonly string[] | undefined {
  return certificate.keyUsage;
}

/** The one URI name of a certificate (X.509-SVID, section 2). */
function soleSpiffeId(certificate: X509Certificate): Parsed<SpiffeId> {
  // node:crypto joins names with ", " and quotes a value that could be mistaken for another name; a quoted one is no SPIFFE ID.
  const uris = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [uri] = uris;
  if (uri === undefined) return refused('the client certificate has no URI name');
  if (uris.length > 1) return refused('the client certificate has more than one URI name');
  const id = parseSpiffeId(uri.slice('URI:'.length));
  return id.ok ? id : refused(`the URI name of the client certificate is no SPIFFE ID: ${id.reason}`);
}
