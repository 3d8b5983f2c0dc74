import { element } from '../../der/write.ts';
import { AuthorityError } from '../../root/error.ts';
import type { KeyType } from '../key-type.ts';
import { CK } from './constants.ts';
import { type Attribute, ulong } from './library.ts';
import { inSession } from './session.ts';
import { template } from './token.ts';
import type { Pkcs11Uri } from './uri.ts';

const YES = Buffer.from([1]);
const NO = Buffer.from([0]);
const curve = (oid: string): readonly Attribute[] => [[CK.CKA_EC_PARAMS, Buffer.from(oid, 'hex')]];
const rsa = (bits: bigint): readonly Attribute[] => [
  [CK.CKA_MODULUS_BITS, ulong(bits)],
  [CK.CKA_PUBLIC_EXPONENT, Buffer.from([1, 0, 1])],
];

const PARAMETERS: Readonly<Record<KeyType, readonly [mechanism: bigint, parameters: readonly Attribute[]]>> = Object.freeze({
  'ec-p256': [CK.CKM_EC_KEY_PAIR_GEN, curve('06082a8648ce3d030107')],
  'ec-p384': [CK.CKM_EC_KEY_PAIR_GEN, curve('06052b81040022')],
  'rsa-2048': [CK.CKM_RSA_PKCS_KEY_PAIR_GEN, rsa(2048n)],
  'rsa-3072': [CK.CKM_RSA_PKCS_KEY_PAIR_GEN, rsa(3072n)],
  'rsa-4096': [CK.CKM_RSA_PKCS_KEY_PAIR_GEN, rsa(4096n)],
  // PKCS#11 3.0 names the curve by a PrintableString.
  ed25519: [CK.CKM_EC_EDWARDS_KEY_PAIR_GEN, [[CK.CKA_EC_PARAMS, element(0x13, Buffer.from('edwards25519', 'latin1'))]]],
});

/**
 * Makes a key pair inside the token, never to leave it (CKA_SENSITIVE, not CKA_EXTRACTABLE). Refused when the token has a key of that
 * name, since a CA key is never made over another; with `keep` that one is kept.
 */
export function generateInToken(uri: Pkcs11Uri, type: KeyType, keep = false): Promise<void> {
  return inSession(uri, (library, session) => {
    const taken = library.find(session, template(CK.CKO_PRIVATE_KEY, uri.object, uri.id)).length > 0;
    if (taken && keep) return;
    if (taken)
      throw new AuthorityError(
        'the token already has a private key of that name; import it with its certificate, or name another',
      );
    const names = [
      ...(uri.object === undefined ? [] : [[CK.CKA_LABEL, Buffer.from(uri.object, 'utf8')] as const]),
      [CK.CKA_ID, uri.id ?? Buffer.from(uri.object ?? '', 'utf8')] as const,
      [CK.CKA_TOKEN, YES] as const,
    ];
    const [mechanism, parameters] = PARAMETERS[type];
    library.generateKeyPair(
      session,
      mechanism,
      [...names, ...parameters, [CK.CKA_VERIFY, YES], [CK.CKA_PRIVATE, NO]],
      [...names, [CK.CKA_SIGN, YES], [CK.CKA_PRIVATE, YES], [CK.CKA_SENSITIVE, YES], [CK.CKA_EXTRACTABLE, NO]],
    );
  });
}
