import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** What a CA key may be. Names as in `--ca-key-type`. */
export type KeyType = 'ec-p256' | 'ec-p384' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ed25519';

export interface Signing {
  /** AlgorithmIdentifier of its signatures, DER (RFC 5758, RFC 4055, RFC 8410). */
  readonly algorithm: string;
  /** Null where the algorithm has its own. */
  readonly digest: 'sha256' | 'sha384' | null;
}

const RSA: Signing = Object.freeze({ algorithm: '300d06092a864886f70d01010b0500', digest: 'sha256' });

export const KEY_TYPES: Readonly<Record<KeyType, Signing>> = Object.freeze({
  'ec-p256': { algorithm: '300a06082a8648ce3d040302', digest: 'sha256' },
  'ec-p384': { algorithm: '300a06082a8648ce3d040303', digest: 'sha384' },
  'rsa-2048': RSA,
  'rsa-3072': RSA,
  'rsa-4096': RSA,
  ed25519: { algorithm: '300506032b6570', digest: null },
});

export const DEFAULT_KEY_TYPE: KeyType = 'ec-p256';

function isKeyType(text: string): text is KeyType {
  return Object.hasOwn(KEY_TYPES, text);
}

export function parseKeyType(text: string): Parsed<KeyType> {
  return isKeyType(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text)} is no key type; use one of ${Object.keys(KEY_TYPES).join(', ')}`);
}

const RSA_BITS = Object.freeze({ least: 2048, most: 4096 });

/** The kind of a key; RSA keys of other sizes in between (plugged in) sign in the same way and count as the next smaller one. */
export function keyTypeOf(key: KeyObject): Parsed<KeyType> {
  const details = key.asymmetricKeyDetails;
  const kind = details?.namedCurve ?? key.asymmetricKeyType ?? '';
  switch (kind) {
    case 'prime256v1':
      return parsed('ec-p256');
    case 'secp384r1':
      return parsed('ec-p384');
    case 'ed25519':
      return parsed('ed25519');
    case 'rsa': {
      const bits = details?.modulusLength ?? 0;
      if (bits < RSA_BITS.least || bits > RSA_BITS.most)
        return refused(`CA keys of RSA must have ${RSA_BITS.least} to ${RSA_BITS.most} bits, not ${bits}`);
      return parsed(bits >= 4096 ? 'rsa-4096' : bits >= 3072 ? 'rsa-3072' : 'rsa-2048');
    }
    default:
      return refused(`CA keys of the kind ${kind} are not supported; use ECDSA P-256 or P-384, RSA or Ed25519`);
  }
}

const generate = promisify(generateKeyPair);

/** A new private key in memory. */
export async function generateKey(type: KeyType): Promise<KeyObject> {
  switch (type) {
    case 'ec-p256':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
    case 'ec-p384':
      return (await generate('ec', { namedCurve: 'P-384' })).privateKey;
    case 'rsa-2048':
      return rsa(2048);
    case 'rsa-3072':
      return rsa(3072);
    case 'rsa-4096':
      return rsa(4096);
    case 'ed25519':
      return (await generate('ed25519', {})).privateKey;
    default:
      return type satisfies never;
  }
}

async function rsa(modulusLength: number): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength, publicExponent: 65537 })).privateKey;
}
