import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

export interface Pkcs12Parts {
  readonly key: KeyObject;
  readonly certificates: readonly X509Certificate[];
}

const LARGEST = 1024 * 1024;
const { oids } = forge.pki;

/** The one private key and the certificates of a PKCS#12 file, with old (RC2, triple DES, SHA-1) or new algorithms. */
export function readPkcs12(der: Buffer, passphrase: string): Parsed<Pkcs12Parts> {
  if (der.length > LARGEST) return refused('it is larger than 1 MiB');
  let bags: readonly forge.pkcs12.Bag[];
  try {
    const file = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(der.toString('latin1')), passphrase);
    bags = file.safeContents.flatMap(({ safeBags }) => safeBags);
  } catch {
    return refused('it is no PKCS#12 file, or the passphrase is wrong');
  }
  try {
    const keys = bags.filter(({ type }) => type === oids['pkcs8ShroudedKeyBag'] || type === oids['keyBag']).map(keyOf);
    const [key, another] = keys;
    if (key === undefined) return refused('there is no private key in it');
    if (another !== undefined) return refused('there is more than one private key in it');
    const certificates = bags.filter(({ type }) => type === oids['certBag']).map(certificateOf);
    return parsed({ key, certificates });
  } catch {
    return refused('a key or a certificate in it cannot be read');
  }
}

/** node-forge knows RSA only; of all else it hands over the PrivateKeyInfo. */
function keyOf(bag: forge.pkcs12.Bag): KeyObject {
  if (bag.key) return createPrivateKey(forge.pki.privateKeyToPem(bag.key));
  return createPrivateKey({ key: derOf(bag.asn1), format: 'der', type: 'pkcs8' });
}

function certificateOf(bag: forge.pkcs12.Bag): X509Certificate {
  return new X509Certificate(derOf(bag.cert ? forge.pki.certificateToAsn1(bag.cert) : bag.asn1));
}

function derOf(value: forge.asn1.Asn1): Buffer {
  return Buffer.from(forge.asn1.toDer(value).getBytes(), 'latin1');
}
