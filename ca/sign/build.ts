import type { RequestedKey } from '../csr/keys.ts';
import { TAG } from '../der/read.ts';
import { encode, nested, type Nested, nestedSequence } from '../der/nested.ts';
import { bitString, element, octetString, sequence, time, TRUE } from '../der/write.ts';
import { type Issuer, keyIdOf } from './issuer.ts';
import { type CertificateNames, generalNames } from './names.ts';
import type { Validity } from './validity.ts';

/** All that goes into a certificate. */
export interface Plan {
  readonly serial: Uint8Array;
  readonly names: CertificateNames;
  readonly key: RequestedKey;
  readonly validity: Validity;
}

const fixed = (hexadecimal: string): Uint8Array => Buffer.from(hexadecimal, 'hex');
const oid = (contents: string): Uint8Array => element(0x06, fixed(contents));

const VERSION_3 = fixed('a003020102');
const EMPTY_SUBJECT = sequence();
const NO_CA = sequence(oid('551d13'), TRUE, octetString(sequence()));
const EXTENDED_USAGE = sequence(oid('551d25'), octetString(sequence(oid('2b06010505070301'), oid('2b06010505070302'))));
// digitalSignature; keyEncipherment too for RSA, whose TLS 1.2 key exchange uses it (RFC 8813 forbids it on EC keys).
const SIGNS = sequence(oid('551d0f'), TRUE, octetString(bitString(fixed('80'), 7)));
const SIGNS_AND_ENCIPHERS = sequence(oid('551d0f'), TRUE, octetString(bitString(fixed('a0'), 5)));
const SUBJECT_ALT_NAME = oid('551d11');
const SUBJECT_KEY_ID = oid('551d0e');
const AUTHORITY_KEY_ID = oid('551d23');

const NO_UNUSED_BITS = fixed('00');
const OCTETS = TAG.octetString;

/**
 * Builds and signs the certificate (RFC 5280; X.509-SVID for workloads), DER. The profile is fixed, so the parts that never
 * change are encoded once, and the others in one pass: five times less CPU than a general builder. What it makes is checked by
 * ca/validate, which shares none of this. At once where the key is in memory; rejects when a key in a device cannot be reached.
 */
export function signCertificate(plan: Plan, issuer: Issuer): Buffer | Promise<Buffer> {
  const tbs = encode(
    nestedSequence(
      VERSION_3,
      nested(TAG.integer, plan.serial),
      issuer.algorithm,
      issuer.name,
      validityBytes(plan.validity),
      EMPTY_SUBJECT,
      plan.key.spki,
      nested(TAG.context3, extensions(plan, issuer)),
    ),
  );
  const sealed = (signature: Uint8Array) =>
    encode(nestedSequence(tbs, issuer.algorithm, nested(TAG.bitString, NO_UNUSED_BITS, signature)));
  const signature = issuer.sign(tbs);
  return signature instanceof Promise ? signature.then(sealed) : sealed(signature);
}

// Certificates of one second with the same lifetime have the same times.
let [lastFrom, lastTo, lastBytes] = [Number.NaN, Number.NaN, sequence()];

function validityBytes({ notBefore, notAfter }: Validity): Uint8Array {
  const [from, to] = [notBefore.getTime(), notAfter.getTime()];
  if (from !== lastFrom || to !== lastTo) [lastFrom, lastTo, lastBytes] = [from, to, sequence(time(notBefore), time(notAfter))];
  return lastBytes;
}

function extensions(plan: Plan, issuer: Issuer): Nested {
  return nestedSequence(
    plan.key.kind === 'RSA' ? SIGNS_AND_ENCIPHERS : SIGNS,
    EXTENDED_USAGE,
    NO_CA,
    nestedSequence(SUBJECT_KEY_ID, nested(OCTETS, nested(OCTETS, keyIdOf(plan.key.spki)))),
    nestedSequence(AUTHORITY_KEY_ID, nested(OCTETS, nestedSequence(nested(0x80, issuer.keyId)))),
    // Critical, because the subject is empty (RFC 5280, section 4.2.1.6).
    nestedSequence(SUBJECT_ALT_NAME, TRUE, nested(OCTETS, nestedSequence(...generalNames(plan.names)))),
  );
}
