/** The numbers of PKCS#11 2.40 that are used here, by their names in the standard. */
export const CK = Object.freeze({
  CKR_OK: 0x000n,
  CKR_PIN_INCORRECT: 0x0a0n,
  CKR_PIN_EXPIRED: 0x0a3n,
  CKR_PIN_LOCKED: 0x0a4n,
  CKR_USER_ALREADY_LOGGED_IN: 0x100n,
  CKR_CRYPTOKI_ALREADY_INITIALIZED: 0x191n,
  CKF_OS_LOCKING_OK: 0x2n,
  CKF_RW_SESSION: 0x2n,
  CKF_SERIAL_SESSION: 0x4n,
  CKU_USER: 1n,
  CKO_PUBLIC_KEY: 2n,
  CKO_PRIVATE_KEY: 3n,
  CKK_RSA: 0x00n,
  CKK_EC: 0x03n,
  CKK_EC_EDWARDS: 0x40n,
  CKA_CLASS: 0x000n,
  CKA_TOKEN: 0x001n,
  CKA_PRIVATE: 0x002n,
  CKA_LABEL: 0x003n,
  CKA_KEY_TYPE: 0x100n,
  CKA_ID: 0x102n,
  CKA_SENSITIVE: 0x103n,
  CKA_SIGN: 0x108n,
  CKA_VERIFY: 0x10an,
  CKA_MODULUS: 0x120n,
  CKA_MODULUS_BITS: 0x121n,
  CKA_PUBLIC_EXPONENT: 0x122n,
  CKA_EXTRACTABLE: 0x162n,
  CKA_EC_PARAMS: 0x180n,
  CKA_EC_POINT: 0x181n,
  CKM_RSA_PKCS_KEY_PAIR_GEN: 0x0000n,
  CKM_RSA_PKCS: 0x0001n,
  CKM_EC_KEY_PAIR_GEN: 0x1040n,
  CKM_ECDSA: 0x1041n,
  CKM_EC_EDWARDS_KEY_PAIR_GEN: 0x1055n,
  CKM_EDDSA: 0x1057n,
});

const NAMES: Readonly<Record<string, string>> = Object.freeze({
  '5': 'CKR_GENERAL_ERROR',
  '6': 'CKR_FUNCTION_FAILED',
  '30': 'CKR_DEVICE_ERROR',
  '32': 'CKR_DEVICE_REMOVED',
  '60': 'CKR_KEY_HANDLE_INVALID',
  '70': 'CKR_MECHANISM_INVALID',
  '82': 'CKR_OBJECT_HANDLE_INVALID',
  a0: 'CKR_PIN_INCORRECT',
  a3: 'CKR_PIN_EXPIRED',
  a4: 'CKR_PIN_LOCKED',
  b0: 'CKR_SESSION_CLOSED',
  b3: 'CKR_SESSION_HANDLE_INVALID',
  e0: 'CKR_TOKEN_NOT_PRESENT',
  e1: 'CKR_TOKEN_NOT_RECOGNIZED',
  '101': 'CKR_USER_NOT_LOGGED_IN',
  '190': 'CKR_CRYPTOKI_NOT_INITIALIZED',
});

/** A call of the PKCS#11 module failed. */
export class Pkcs11Error extends Error {
  override readonly name = 'Pkcs11Error';
  readonly code: bigint;
  constructor(call: string, code: bigint) {
    const number = code.toString(16);
    super(`${call}: ${NAMES[number] ?? `error 0x${number}`}`);
    this.code = code;
  }
}

/** The PIN is wrong, or no longer taken. Trying again would lock the token. */
export function isPinRefused(error: unknown): boolean {
  const codes: readonly bigint[] = [CK.CKR_PIN_INCORRECT, CK.CKR_PIN_EXPIRED, CK.CKR_PIN_LOCKED];
  return error instanceof Pkcs11Error && codes.includes(error.code);
}
