import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { TAG } from '../der/read.ts';
import { bitString, element, octetString, sequence, time, TRUE } from '../der/write.ts';
import { toPem } from '../der/pem.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { DEFAULT_KEY_TYPE, generateKey, type KeyType } from '../key-store/key-type.ts';
import { memorySigner, type Signer } from '../key-store/signer.ts';
import { keyIdOf } from '../sign/issuer.ts';
import { newSerial } from '../sign/serial.ts';

export interface NewRoot {
  readonly key: KeyObject;
  /** PKCS#8, PEM. */
  readonly keyPem: string;
  readonly certificatePem: string;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;
const oid = (hexadecimal: string): Buffer => element(TAG.oid, Buffer.from(hexadecimal, 'hex'));
const fixed = (hexadecimal: string): Buffer => Buffer.from(hexadecimal, 'hex');

/** A new key in memory and its root certificate. */
export async function createRoot(trustDomain: TrustDomain, now: Date, type: KeyType = DEFAULT_KEY_TYPE): Promise<NewRoot> {
  const key = await generateKey(type);
  const signer = memorySigner(key);
  if (!signer.ok) throw new Error(signer.reason);
  return {
    key,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem: await selfSigned(signer.value, trustDomain, now),
  };
}

/**
 * A self-signed root for a key wherever it is kept, PEM: ten years, its trust domain as URI name (X.509-SVID, section 4: a signing
 * certificate's SPIFFE ID has no path), so that a folder cannot be opened for another trust domain by mistake.
 */
export async function selfSigned(signer: Signer, trustDomain: TrustDomain, now: Date): Promise<string> {
  const second = Math.floor(now.getTime() / 1000) * 1000;
  const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
  const name = sequence(attribute('55040a', trustDomain), attribute('550403', 'Gatehouse root'));
  const extensions = [
    sequence(oid('551d13'), TRUE, octetString(sequence(TRUE))),
    // keyCertSign and cRLSign.
    sequence(oid('551d0f'), TRUE, octetString(bitString(fixed('06'), 1))),
    sequence(oid('551d0e'), octetString(octetString(keyIdOf(spki)))),
    sequence(oid('551d11'), octetString(sequence(element(TAG.uriName, Buffer.from(`spiffe://${trustDomain}`, 'latin1'))))),
  ];
  const tbs = sequence(
    fixed('a003020102'),
    element(TAG.integer, newSerial(randomBytes)),
    signer.algorithm,
    name,
    sequence(time(new Date(second - 120_000)), time(new Date(second + 10 * YEAR_MS))),
    name,
    spki,
    element(TAG.context3, sequence(...extensions)),
  );
  const der = sequence(tbs, signer.algorithm, bitString(await signer.sign(tbs)));
  if (!new X509Certificate(der).verify(signer.publicKey)) throw new Error("the new root's signature does not verify");
  return toPem('CERTIFICATE', der);
}

/** A relative distinguished name of one UTF8String. */
function attribute(type: string, value: string): Buffer {
  return element(TAG.set, sequence(oid(type), element(0x0c, Buffer.from(value, 'utf8'))));
}
