import 'reflect-metadata';
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { toPem } from '../../ca/der/pem.ts';
import { bitString, element, octetString, sequence, TRUE } from '../../ca/der/write.ts';

const fixed = (hexadecimal: string): Buffer => Buffer.from(hexadecimal, 'hex');

export type Kind = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | `RSA-${number}`;

const keys = new Map<string, KeyObject>();

/** A private key of that kind; the same one for each name, since RSA keys take long to make. */
export function testKey(kind: Kind, name = ''): KeyObject {
  const known = keys.get(kind + name);
  const key = known ?? generate(kind);
  keys.set(kind + name, key);
  return key;
}

function generate(kind: Kind): KeyObject {
  if (kind === 'Ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (kind === 'P-256' || kind === 'P-384' || kind === 'P-521') return generateKeyPairSync('ec', { namedCurve: kind }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice('RSA-'.length)) }).privateKey;
}

const SIGNATURES: Readonly<Record<string, { oid: string; digest: string | null }>> = {
  ec: { oid: '300a06082a8648ce3d040302', digest: 'sha256' },
  rsa: { oid: '300d06092a864886f70d01010b0500', digest: 'sha256' },
  ed25519: { oid: '300506032b6570', digest: null },
};

export interface RequestParts {
  readonly key?: KeyObject;
  /** Signs instead of `key`. */
  readonly signer?: KeyObject;
  readonly uris?: readonly string[];
  /** GeneralName elements beside the URIs, DER. */
  readonly otherNames?: readonly Buffer[];
  /** Further Extension elements. */
  readonly extensions?: readonly Buffer[];
  /** Attributes instead of the extension request. */
  readonly attributes?: readonly Buffer[];
  readonly subject?: Buffer;
  readonly version?: number;
  /** AlgorithmIdentifier and digest instead of the key's usual one. */
  readonly algorithm?: { readonly oid: string; readonly digest: string | null };
}

export function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(element(6, fixed(oid)), ...(critical ? [TRUE] : []), octetString(value));
}

export const uriName = (uri: string): Buffer => element(0x86, Buffer.from(uri, 'latin1'));

/** A PKCS#10 request of any content, right or wrong, DER. */
export function requestDer(parts: RequestParts = {}): Buffer {
  const key = parts.key ?? testKey('P-256');
  const names = [...(parts.uris ?? []).map(uriName), ...(parts.otherNames ?? [])];
  const extensions = [...(names.length > 0 ? [extension('551d11', sequence(...names), true)] : []), ...(parts.extensions ?? [])];
  const request = sequence(element(6, fixed('2a864886f70d01090e')), element(0x31, sequence(...extensions)));
  const attributes = parts.attributes ?? (extensions.length > 0 ? [request] : []);
  const info = sequence(
    element(2, Buffer.from([parts.version ?? 0])),
    parts.subject ?? sequence(),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    element(0xa0, ...attributes),
  );
  const signer = parts.signer ?? key;
  const algorithm = parts.algorithm ?? SIGNATURES[signer.asymmetricKeyType ?? ''];
  if (algorithm === undefined) throw new Error('no such key type');
  return sequence(info, fixed(algorithm.oid), bitString(sign(algorithm.digest, info, signer)));
}

export function requestPem(parts: RequestParts = {}): string {
  return toPem('CERTIFICATE REQUEST', requestDer(parts));
}
