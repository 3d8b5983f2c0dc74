import forge from 'node-forge';
import { hex, members, soleElement } from '../der/read.ts';
import { octetString, sequence } from '../der/write.ts';
import { decryptPbes1 } from './pbes1.ts';
import { decryptPbes2 } from './pbes2.ts';

const PBES2 = '2a864886f70d01050d';

/**
 * What is encrypted under a passphrase by any scheme of PKCS#5 or PKCS#12, told by its AlgorithmIdentifier; undefined where the scheme is
 * not known or the passphrase does not fit. node-forge has those of PKCS#12 (RC2-40, triple DES), which OpenSSL 3 left to its legacy provider.
 */
export function decryptUnder(algorithm: Uint8Array, data: Uint8Array, passphrase: string): Buffer | undefined {
  const [oid, parameters] = members(soleElement(algorithm)) ?? [];
  if (oid === undefined) return undefined;
  try {
    if (hex(oid.value) === PBES2) return decryptPbes2(parameters, data, passphrase);
    const info = sequence(algorithm, octetString(data));
    const des = decryptPbes1(info, passphrase);
    if (des !== undefined) return des;
    // It reads any ASN.1 that is inside, although it was made for keys.
    const opened: forge.asn1.Asn1 | null = forge.pki.decryptPrivateKeyInfo(
      forge.asn1.fromDer(info.toString('latin1')),
      passphrase,
    );
    return opened === null ? undefined : Buffer.from(forge.asn1.toDer(opened).getBytes(), 'latin1');
  } catch {
    return undefined;
  }
}
