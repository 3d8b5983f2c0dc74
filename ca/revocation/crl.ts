import { certificateFields } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { toPem } from '../der/pem.ts';
import { soleElement, TAG } from '../der/read.ts';
import { bitString, element, octetString, sequence, time } from '../der/write.ts';
import type { Issuer } from '../sign/issuer.ts';
import type { ListedCertificate } from './list.ts';
import { REASON_CODES } from './revocation.ts';

/** All that goes into a revocation list besides who signs it. */
export interface CrlPlan {
  readonly number: number;
  readonly thisUpdate: Date;
  /** Verifiers refuse everybody under the issuer after it, so it must lie beyond the end of every certificate that is out. */
  readonly nextUpdate: Date;
  readonly certificates: readonly ListedCertificate[];
}

const fixed = (hexadecimal: string): Uint8Array => Buffer.from(hexadecimal, 'hex');
const oid = (contents: string): Uint8Array => element(TAG.oid, fixed(contents));

const VERSION_2 = fixed('020101');
const CRL_NUMBER = oid('551d14');
const REASON_CODE = oid('551d15');
const AUTHORITY_KEY_ID = oid(OID.authorityKeyIdentifier);
const ENUMERATED = 0x0a;
const CRL_SIGN = 0x02;

/** A version 2 certificate revocation list (RFC 5280, section 5), PEM. */
export async function signCrl(plan: CrlPlan, issuer: Issuer): Promise<string> {
  const { certificates, number, thisUpdate, nextUpdate } = plan;
  const tbs = sequence(
    VERSION_2,
    issuer.algorithm,
    issuer.name,
    time(thisUpdate),
    time(nextUpdate),
    // An empty list is left out, never written as an empty SEQUENCE (section 5.1.2.6).
    ...(certificates.length === 0 ? [] : [sequence(...certificates.map(entry))]),
    element(
      TAG.context0,
      sequence(
        sequence(AUTHORITY_KEY_ID, octetString(sequence(element(0x80, issuer.keyId)))),
        sequence(CRL_NUMBER, octetString(positiveInteger(number))),
      ),
    ),
  );
  return toPem('X509 CRL', sequence(tbs, issuer.algorithm, bitString(await issuer.sign(tbs))));
}

function entry({ serial, time: when, reason }: ListedCertificate): Uint8Array {
  const code = Object.hasOwn(REASON_CODES, reason) ? REASON_CODES[reason] : undefined;
  // "unspecified" is said by saying nothing (section 5.3.1).
  const extensions =
    code === undefined ? [] : [sequence(sequence(REASON_CODE, octetString(element(ENUMERATED, Uint8Array.of(code)))))];
  return sequence(integer(fixed(serial)), time(when), ...extensions);
}

function positiveInteger(value: number): Uint8Array {
  const digits = value.toString(16);
  return integer(fixed(digits.length % 2 === 0 ? digits : `0${digits}`));
}

/** A positive INTEGER in its shortest form. */
function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return element(TAG.integer, ...((digits[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), digits);
}

/**
 * Whether verifiers accept lists signed by this CA (section 4.2.1.3). The intermediates that Istio's tools make cannot: with a list of
 * theirs Envoy would refuse every certificate, revoked or not.
 */
export function maySignCrls({ certificate }: Issuer): boolean {
  const usage = certificateFields(certificate.raw)?.extensions.get(OID.keyUsage);
  if (usage === undefined) return true;
  const bits = soleElement(usage.value);
  return bits?.tag === TAG.bitString && ((bits.value[1] ?? 0) & CRL_SIGN) !== 0;
}
