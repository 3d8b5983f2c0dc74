import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type Element, elements, hex, members, soleElement, TAG } from '../der/read.ts';
import { MAC_HASHES, pkcs12Mac, sameMac } from '../export/pkcs12-mac.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { decryptUnder } from './decrypt.ts';
import { iterationsOf } from './pbes2.ts';

export interface Pkcs12Parts {
  readonly key: KeyObject;
  readonly certificates: readonly X509Certificate[];
}

const LARGEST = 1024 * 1024;
const DATA = '2a864886f70d010701';
const ENCRYPTED_DATA = '2a864886f70d010706';
const KEY_BAG = '2a864886f70d010c0a0101';
const SHROUDED_KEY_BAG = '2a864886f70d010c0a0102';
const CERT_BAG = '2a864886f70d010c0a0103';
const X509 = '2a864886f70d01091601';

/**
 * The one private key and the certificates of a PKCS#12 file (RFC 7292) with old (RC2, triple DES, SHA-1) or new algorithms, protected by a
 * passphrase. DER only. node-forge's reader is not used: it knows no EC keys, takes passphrases for Latin-1, and needs minutes for today's
 * numbers of rounds; its old ciphers are.
 */
export function readPkcs12(der: Buffer, passphrase: string): Parsed<Pkcs12Parts> {
  if (der.length > LARGEST) return refused('it is larger than 1 MiB');
  const [, authSafe, mac] = members(soleElement(der)) ?? [];
  const contents = content(authSafe, DATA)?.value;
  if (contents === undefined || mac === undefined) return refused('it is no PKCS#12 file with a passphrase, in DER');
  const genuine = verifies(mac, contents, passphrase);
  if (genuine === undefined) return refused('its MAC is of a kind that is not supported');
  if (!genuine) return refused('the passphrase is wrong, or it is damaged');
  const bags: Element[] = [];
  for (const safe of members(soleElement(contents)) ?? []) {
    const opened = safeContents(safe, passphrase);
    if (opened === undefined) return refused('a part of it is encrypted in a way that is not supported');
    bags.push(...opened);
  }
  try {
    return partsOf(bags, passphrase);
  } catch {
    return refused('a key or a certificate in it cannot be read');
  }
}

/** What a ContentInfo of this type holds. */
function content(info: Element | undefined, type: string): Element | undefined {
  const [oid, value] = members(info) ?? [];
  return oid !== undefined && hex(oid.value) === type ? members(value, TAG.context0)?.[0] : undefined;
}

function verifies(mac: Element, contents: Uint8Array, passphrase: string): boolean | undefined {
  const [info, salt, count] = members(mac) ?? [];
  const [algorithm, digest] = members(info) ?? [];
  const [oid] = members(algorithm) ?? [];
  const known = oid && MAC_HASHES[hex(oid.value)];
  const iterations = count === undefined ? 1 : iterationsOf(count);
  if (known === undefined || digest === undefined || salt === undefined || iterations === undefined) return undefined;
  return sameMac(pkcs12Mac(known, passphrase, salt.value, iterations, contents), digest.value);
}

function safeContents(info: Element, passphrase: string): readonly Element[] | undefined {
  const plain = content(info, DATA);
  if (plain !== undefined) return members(soleElement(plain.value));
  const [, hidden] = members(content(info, ENCRYPTED_DATA)) ?? [];
  const [, algorithm, data] = members(hidden) ?? [];
  if (algorithm === undefined || data?.tag !== 0x80) return undefined;
  const opened = decryptUnder(algorithm.raw, data.value, passphrase);
  return opened && members(soleElement(opened));
}

function partsOf(bags: readonly Element[], passphrase: string): Parsed<Pkcs12Parts> {
  const keys: KeyObject[] = [];
  const certificates: X509Certificate[] = [];
  for (const bag of bags) {
    const [type, value] = members(bag) ?? [];
    const inner = value && elements(value.value)?.[0];
    if (type === undefined || inner === undefined) return refused('a part of it is malformed');
    const kind = hex(type.value);
    if (kind === KEY_BAG) keys.push(createPrivateKey({ key: Buffer.from(inner.raw), format: 'der', type: 'pkcs8' }));
    if (kind === SHROUDED_KEY_BAG) keys.push(shrouded(inner, passphrase));
    const certificate = kind === CERT_BAG ? content(inner, X509) : undefined;
    if (certificate !== undefined) certificates.push(new X509Certificate(certificate.value));
  }
  const [key, another] = keys;
  if (key === undefined) return refused('there is no private key in it');
  return another === undefined ? parsed({ key, certificates }) : refused('there is more than one private key in it');
}

function shrouded(info: Element, passphrase: string): KeyObject {
  const [algorithm, data] = members(info) ?? [];
  const opened = algorithm && data && decryptUnder(algorithm.raw, data.value, passphrase);
  if (opened === undefined) throw new Error('the key cannot be decrypted');
  return createPrivateKey({ key: opened, format: 'der', type: 'pkcs8' });
}
