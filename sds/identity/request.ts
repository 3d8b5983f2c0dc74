import 'reflect-metadata';
import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { type JsonGeneralName, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';

const generate = promisify(generateKeyPair);
const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** A private key and the request that proves its possession. The key exists in this process's memory only. */
export interface SigningRequest {
  readonly key: KeyObject;
  /** PKCS#10, PEM. */
  readonly csr: string;
}

/** A new P-256 key for every certificate. */
export async function newKey(): Promise<KeyObject> {
  const { privateKey } = await generate('ec', { namedCurve: 'P-256' });
  return privateKey;
}

/**
 * The certificate request for one identity: an empty subject and the SPIFFE ID as the only URI SAN, with the DNS names wished for, marked
 * critical as RFC 5280 asks where the subject is empty (X.509-SVID, section 4).
 */
export async function requestFor(id: SpiffeId, key: KeyObject, dnsNames: readonly string[] = []): Promise<SigningRequest> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']);
  const publicKey = await crypto.subtle.importKey('spki', spki, P256, true, ['verify']);
  const names: JsonGeneralName[] = [{ type: 'url', value: id }, ...dnsNames.map((value) => ({ type: 'dns' as const, value }))];
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      keys: { privateKey, publicKey },
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [new SubjectAlternativeNameExtension(names, true)],
    },
    crypto,
  );
  return { key, csr: request.toString('pem') };
}
