import { X509Certificate } from 'node:crypto';
import { certificateFields } from '../der/certificate.ts';
import { hex } from '../der/read.ts';
import type { Issuer } from '../sign/issuer.ts';
import type { Intended } from './intended.ts';
import { wrongTimes } from './times.ts';

/** Clients and servers are the same workloads: id-kp-serverAuth and id-kp-clientAuth, no more. */
const USAGES = '1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2';

// Told again, and not taken from the builder, so that one wrong table cannot hide itself.
const EXTENSIONS = Object.freeze({
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  basicConstraints: '551d13',
  subjectKeyIdentifier: '551d0e',
  authorityKeyIdentifier: '551d23',
  subjectAltName: '551d11',
});
const CRITICAL: readonly string[] = Object.freeze([EXTENSIONS.keyUsage, EXTENSIONS.basicConstraints, EXTENSIONS.subjectAltName]);
const KNOWN: readonly string[] = Object.freeze(Object.values(EXTENSIONS));

/**
 * Reads a certificate back with OpenSSL before it is released, and says what is wrong with it, or gives it. Independent of the
 * builder: a mistake there, or a faulty signature (which could give away the key), stops here.
 */
export function checkIssued(
  der: Uint8Array,
  intended: Intended,
  issuer: Issuer,
  now: Date,
): { readonly ok: true; readonly certificate: X509Certificate } | { readonly ok: false; readonly fault: string } {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return { ok: false, fault: 'it does not parse' };
  }
  const fault =
    wrongContent(certificate, intended) ??
    wrongTimes(timesOf(certificate), intended, issuer, now) ??
    wrongIssuer(certificate, issuer);
  return fault === undefined ? { ok: true, certificate } : { ok: false, fault };
}

function wrongContent(certificate: X509Certificate, intended: Intended): string | undefined {
  if (certificate.ca) return 'it is a CA certificate';
  if (certificate.serialNumber.toLowerCase() !== intended.serial) return 'it has another serial number';
  if (certificate.subject !== undefined && certificate.subject !== '') return 'its subject is not empty';
  if (certificate.subjectAltName !== intended.subjectAltName) return 'it has other names';
  if (certificate.keyUsage?.toSorted().join(',') !== USAGES) return 'its extended key usage is wrong';
  const fields = certificateFields(certificate.raw);
  if (fields === undefined) return 'its structure is wrong';
  if (Buffer.compare(fields.spki, intended.key.spki) !== 0) return 'it is for another key';
  for (const [oid, { critical }] of fields.extensions) {
    if (!KNOWN.includes(oid)) return 'it has an extension too many';
    if (critical !== CRITICAL.includes(oid)) return 'an extension is critical or not, wrongly';
  }
  if (fields.extensions.size !== KNOWN.length) return 'it lacks an extension';
  const constraints = hex(fields.extensions.get(EXTENSIONS.basicConstraints)?.value ?? new Uint8Array());
  if (constraints !== '3000') return 'its basic constraints are wrong';
  const usage = hex(fields.extensions.get(EXTENSIONS.keyUsage)?.value ?? new Uint8Array());
  return usage === (intended.key.kind === 'RSA' ? '030205a0' : '03020780') ? undefined : 'its key usage is wrong';
}

function timesOf(certificate: X509Certificate): { readonly from: number; readonly to: number } {
  return { from: certificate.validFromDate.getTime(), to: certificate.validToDate.getTime() };
}

function wrongIssuer(certificate: X509Certificate, issuer: Issuer): string | undefined {
  if (!certificate.checkIssued(issuer.certificate)) return 'it names another issuer';
  return certificate.verify(issuer.publicKey) ? undefined : 'its signature does not verify';
}
