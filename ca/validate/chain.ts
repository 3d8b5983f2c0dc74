import type { X509Certificate } from 'node:crypto';
import { certificateFields, type CertificateFields } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { hex, members, soleElement, TAG } from '../der/read.ts';
import { generalNamesOf, type NameConstraints, outsideOf, parseNameConstraints } from './name-constraints.ts';

/** What a CA certificate says about those below it. */
interface Authority {
  readonly fields: CertificateFields;
  /** How many CA certificates may stand between it and a leaf. */
  readonly pathLength: number;
  readonly constraints: NameConstraints | undefined;
  readonly selfIssued: boolean;
}

const NAME_CONSTRAINTS = '551d1e';
// keyCertSign, RFC 5280 section 4.2.1.3.
const CERT_SIGN = 0x04;

/** Extensions whose meaning is kept to here; a critical one that is not among them refuses the chain (RFC 5280, section 4.2). */
const UNDERSTOOD: readonly string[] = Object.freeze([
  OID.basicConstraints,
  OID.keyUsage,
  OID.subjectAltName,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
  NAME_CONSTRAINTS,
]);

/** A chain that may issue, and what every leaf under it must keep to. */
export interface CheckedChain {
  readonly constraints: readonly NameConstraints[];
}

/**
 * Checks CA certificates, the issuing one first and the root last, each already known to have signed the one before: every one is a CA's by
 * basic constraints and key usage, path lengths and name constraints are kept to, nothing critical is unknown. Times are not looked at. A
 * root of version 1, which can say nothing about itself, is taken as last member only.
 */
export function checkChain(
  chain: readonly X509Certificate[],
): ({ readonly ok: true } & CheckedChain) | { readonly ok: false; readonly fault: string } {
  const found: NameConstraints[] = [];
  // From the root down, as RFC 5280 section 6.1 goes.
  let left = Number.POSITIVE_INFINITY;
  for (const [index, certificate] of chain.toReversed().entries()) {
    const wrong = (fault: string) => ({ ok: false, fault: `${certificate.subject.replaceAll('\n', ', ')}: ${fault}` }) as const;
    if (index === 0 && certificateFields(certificate.raw) === undefined && certificate.checkIssued(certificate)) continue;
    const authority = authorityOf(certificate);
    if (typeof authority === 'string') return wrong(authority);
    if (index > 0 && !authority.selfIssued) {
      if (left < 1) return wrong('there are more CA certificates than a path length above it allows');
      left -= 1;
    }
    const names = generalNamesOf(authority.fields.extensions.get(OID.subjectAltName)?.value);
    if (names === undefined) return wrong('its alternative names are malformed');
    if (index > 0)
      for (const constraints of found) {
        const outside = outsideOf(constraints, { subject: authority.fields.subject, names });
        if (outside !== undefined) return wrong(`${outside} by the name constraints above it`);
      }
    left = Math.min(left, authority.pathLength);
    if (authority.constraints !== undefined) found.push(authority.constraints);
  }
  return { ok: true, constraints: found };
}

function authorityOf(certificate: X509Certificate): Authority | string {
  const fields = certificateFields(certificate.raw);
  if (fields === undefined) return 'it is not a certificate of version 3';
  const { extensions } = fields;
  for (const [oid, { critical }] of extensions)
    if (critical && !UNDERSTOOD.includes(oid)) return 'it has a critical extension that is not known';
  const pathLength = pathLengthOf(extensions.get(OID.basicConstraints)?.value);
  if (pathLength === undefined) return 'its basic constraints are not those of a CA';
  const usage = extensions.get(OID.keyUsage);
  if (usage !== undefined && !maySign(usage.value)) return 'its key usage does not allow to sign certificates';
  const named = extensions.get(NAME_CONSTRAINTS);
  const constraints = named && parseNameConstraints(named.value);
  if (named !== undefined && constraints === undefined) return 'its name constraints are malformed';
  return { fields, pathLength, constraints, selfIssued: hex(fields.subject) === hex(fields.issuer) };
}

/** BasicConstraints ::= SEQUENCE { cA BOOLEAN, pathLenConstraint INTEGER OPTIONAL }; undefined for anything that is no CA. */
function pathLengthOf(value: Uint8Array | undefined): number | undefined {
  const [ca, length, extra] = (value && members(soleElement(value))) ?? [];
  if (ca?.tag !== TAG.boolean || hex(ca.value) !== 'ff' || extra !== undefined) return undefined;
  if (length === undefined) return Number.POSITIVE_INFINITY;
  // Longer paths than 127 do not exist; a second byte is there only in negative or absurd numbers.
  const [first] = length.value;
  return length.tag === TAG.integer && length.value.length === 1 && first !== undefined && first < 0x80 ? first : undefined;
}

function maySign(value: Uint8Array): boolean {
  const bits = soleElement(value);
  return bits?.tag === TAG.bitString && ((bits.value[1] ?? 0) & CERT_SIGN) !== 0;
}
