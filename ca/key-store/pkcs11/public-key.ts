import { createPublicKey, type KeyObject } from 'node:crypto';
import { soleElement, TAG } from '../../der/read.ts';
import { bitString, sequence, unsignedInteger } from '../../der/write.ts';
import { CK } from './constants.ts';
import type { Handle, Library } from './library.ts';

const fixed = (hexadecimal: string): Buffer => Buffer.from(hexadecimal, 'hex');
const EC_PUBLIC_KEY = fixed('06072a8648ce3d0201');
const RSA_ALGORITHM = fixed('300d06092a864886f70d0101010500');
const ED25519_ALGORITHM = fixed('300506032b6570');

/** The public half of a key in a token, from the attributes of its public key object. */
export function publicKeyOf(library: Library, session: Handle, object: Handle): KeyObject {
  const get = (type: bigint) => library.attribute(session, object, type);
  const type = get(CK.CKA_KEY_TYPE).readBigUInt64LE();
  return createPublicKey({ key: spki(type, get), format: 'der', type: 'spki' });
}

function spki(type: bigint, get: (type: bigint) => Buffer): Buffer {
  switch (type) {
    case CK.CKK_RSA: {
      const numbers = [get(CK.CKA_MODULUS), get(CK.CKA_PUBLIC_EXPONENT)].map(unsignedInteger);
      return sequence(RSA_ALGORITHM, bitString(sequence(...numbers)));
    }
    case CK.CKK_EC:
      return sequence(sequence(EC_PUBLIC_KEY, get(CK.CKA_EC_PARAMS)), bitString(point(get(CK.CKA_EC_POINT))));
    case CK.CKK_EC_EDWARDS:
      return sequence(ED25519_ALGORITHM, bitString(point(get(CK.CKA_EC_POINT))));
    default:
      throw new Error(`the key in the token is of a type that is not supported (CKK 0x${type.toString(16)})`);
  }
}

/** CKA_EC_POINT is an OCTET STRING around the point (PKCS#11 2.40, section 2.3.3); some tokens leave the wrapping out. */
function point(value: Buffer): Uint8Array {
  const wrapped = soleElement(value);
  return wrapped?.tag === TAG.octetString ? wrapped.value : value;
}
