import { hash, verify } from 'node:crypto';
import { SIGNATURES } from '../csr/signatures.ts';
import type { Issuer } from '../sign/issuer.ts';
import { Cursor } from './cursor.ts';
import type { Intended } from './intended.ts';
import { wrongTimes } from './times.ts';

const fixed = (hexadecimal: string): Uint8Array => Buffer.from(hexadecimal, 'hex');

// The profile, told again and not taken from the builder, so that one wrong table cannot hide itself (RFC 5280, section 4.2).
const VERSION_3 = fixed('a003020102');
const SERIAL = fixed('0210');
const EMPTY_SUBJECT = fixed('3000');
const USAGES = Object.freeze({
  signs: fixed('300e0603551d0f0101ff040403020780'),
  signsAndEnciphers: fixed('300e0603551d0f0101ff0404030205a0'),
});
const EXTENDED_USAGE = fixed('301d0603551d250416301406082b0601050507030106082b06010505070302');
const NO_CA = fixed('300c0603551d130101ff04023000');
const SUBJECT_KEY_ID = fixed('301d0603551d0e04160414');
const AUTHORITY_KEY_ID = fixed('0603551d23');
const SUBJECT_ALT_NAME = fixed('0603551d110101ff');
const [SEQUENCE, BIT_STRING, OCTET_STRING, UTC_TIME, GENERALIZED_TIME] = [0x30, 0x03, 0x04, 0x17, 0x18];
const [EXTENSIONS, KEY_ID, DNS, URI, IP] = [0xa3, 0x80, 0x82, 0x86, 0x87];

/**
 * Reads a new certificate byte by byte and compares all of it with what was meant: every byte is either one that the profile
 * says, or one that the steps before signing said, or of the signature, which is verified. Gives back what is wrong.
 */
export function readBack(der: Uint8Array, intended: Intended, issuer: Issuer, now: Date): string | undefined {
  const cursor = new Cursor(der);
  if (cursor.enter(SEQUENCE) !== der.length) return 'it does not parse';
  const start = cursor.at;
  const end = cursor.enter(SEQUENCE);
  if (end < 0) return 'it does not parse';
  const fault = wrongContent(cursor, intended, issuer, now);
  if (fault !== undefined) return fault;
  if (cursor.at !== end) return 'its structure is wrong';
  if (!cursor.pass(issuer.algorithm)) return 'its signature algorithm is wrong';
  const last = cursor.enter(BIT_STRING);
  if (last !== der.length || cursor.bytes[cursor.at] !== 0) return 'its signature is malformed';
  const signature = der.subarray(cursor.at + 1);
  return signedBy(issuer, der.subarray(start, end), signature) ? undefined : 'its signature does not verify';
}

function wrongContent(cursor: Cursor, intended: Intended, issuer: Issuer, now: Date): string | undefined {
  if (!cursor.pass(VERSION_3)) return 'its structure is wrong';
  if (!cursor.pass(SERIAL) || !cursor.pass(fixed(intended.serial))) return 'it has another serial number';
  if (!cursor.pass(issuer.algorithm)) return 'its signature algorithm is wrong';
  if (!cursor.pass(issuer.name)) return 'it names another issuer';
  const end = cursor.enter(SEQUENCE);
  const [from, to] = [timeAt(cursor), timeAt(cursor)];
  if (end < 0 || from === undefined || to === undefined || cursor.at !== end) return 'its validity is malformed';
  const fault = wrongTimes({ from, to }, intended, issuer, now);
  if (fault !== undefined) return fault;
  if (!cursor.pass(EMPTY_SUBJECT)) return 'its subject is not empty';
  if (!cursor.pass(intended.key.spki)) return 'it is for another key';
  return wrongExtensions(cursor, intended, issuer);
}

function wrongExtensions(cursor: Cursor, intended: Intended, issuer: Issuer): string | undefined {
  const end = cursor.enter(EXTENSIONS);
  if (end < 0 || cursor.enter(SEQUENCE) !== end) return 'its structure is wrong';
  if (!cursor.pass(intended.key.kind === 'RSA' ? USAGES.signsAndEnciphers : USAGES.signs)) return 'its key usage is wrong';
  if (!cursor.pass(EXTENDED_USAGE)) return 'its extended key usage is wrong';
  if (!cursor.pass(NO_CA)) return 'its basic constraints are wrong';
  // RFC 7093, section 2, method 4.
  const keyId = Buffer.from(hash('sha256', intended.key.spki, 'binary').slice(0, 20), 'binary');
  if (!cursor.pass(SUBJECT_KEY_ID) || !cursor.pass(keyId)) return 'its key identifier is wrong';
  if (!authorityKeyIdAt(cursor, issuer.keyId)) return 'it names the key of another issuer';
  if (!namesAt(cursor, intended.subjectAltName)) return 'it has other names';
  return cursor.at === end ? undefined : 'it has an extension too many';
}

function authorityKeyIdAt(cursor: Cursor, keyId: Uint8Array): boolean {
  const end = cursor.enter(SEQUENCE);
  const known = end > 0 && cursor.pass(AUTHORITY_KEY_ID);
  return (
    known &&
    cursor.enter(OCTET_STRING) === end &&
    cursor.enter(SEQUENCE) === end &&
    cursor.enter(KEY_ID) === end &&
    cursor.pass(keyId) &&
    cursor.at === end
  );
}

/** @param printed `URI:spiffe://…` with DNS names after it, or names of the control plane's server as `DNS:a, IP Address:127.0.0.1` */
function namesAt(cursor: Cursor, printed: string): boolean {
  const end = cursor.enter(SEQUENCE);
  const known = end > 0 && cursor.pass(SUBJECT_ALT_NAME);
  return (
    known &&
    cursor.enter(OCTET_STRING) === end &&
    cursor.enter(SEQUENCE) === end &&
    (printed.startsWith('URI:') ? workloadNamesAt(cursor, end, printed) : serverNamesAt(cursor, end, printed))
  );
}

function workloadNamesAt(cursor: Cursor, end: number, printed: string): boolean {
  const comma = printed.indexOf(', ');
  const last = cursor.enter(URI);
  const uri = printed.slice('URI:'.length, comma < 0 ? printed.length : comma);
  if (last < 0 || last > end || !cursor.passText(uri) || cursor.at !== last) return false;
  if (comma < 0) return cursor.at === end;
  const rest = printed.slice(comma + ', '.length);
  return rest.split(', ').every((name) => name.startsWith('DNS:')) && serverNamesAt(cursor, end, rest);
}

function serverNamesAt(cursor: Cursor, end: number, printed: string): boolean {
  for (const name of printed.split(', ')) {
    const [, kind, text = ''] = /^(DNS|IP Address):([0-9A-Za-z.:_-]+)$/.exec(name) ?? [];
    const last = kind === undefined ? -1 : cursor.enter(kind === 'DNS' ? DNS : IP);
    if (last < 0 || last > end) return false;
    if (kind === 'DNS' ? !cursor.passText(text) || cursor.at !== last : addressOf(cursor.take(last)) !== text) return false;
  }
  return cursor.at === end;
}

/** As OpenSSL prints addresses: IPv6 in eight groups of upper case without leading zeros. */
function addressOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? [];
  return groups.map((group) => group.replace(/^0{1,3}/, '').toUpperCase()).join(':');
}

/** Milliseconds since the epoch; undefined where no time stands. UTCTime until 2049, then GeneralizedTime (RFC 5280, section 4.1.2.5). */
function timeAt(cursor: Cursor): number | undefined {
  const short = cursor.bytes[cursor.at] === UTC_TIME;
  const end = cursor.enter(short ? UTC_TIME : GENERALIZED_TIME);
  if (end < 0 || end - cursor.at !== (short ? 13 : 15)) return undefined;
  const century = short ? undefined : twoDigits(cursor);
  const [inCentury, month, day] = [twoDigits(cursor), twoDigits(cursor), twoDigits(cursor)];
  const [hour, minute, second] = [twoDigits(cursor), twoDigits(cursor), twoDigits(cursor)];
  if (!cursor.pass(ZULU)) return undefined;
  const year = (century ?? (inCentury < 50 ? 20 : 19)) * 100 + inCentury;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC takes 12:60 for 13:00, and the 31st of June for the 1st of July: another spelling of a time is none.
  if (!(month >= 1 && month <= 12 && hour < 24 && minute < 60 && second < 60) || new Date(time).getUTCDate() !== day)
    return undefined;
  return Number.isNaN(time) || (!short && year < 2050) ? undefined : time;
}

const ZULU = Uint8Array.of(0x5a);

/** NaN where no two digits stand. */
function twoDigits(cursor: Cursor): number {
  const [tens = 0, ones = 0] = cursor.take(cursor.at + 2);
  const digits = tens >= 0x30 && tens <= 0x39 && ones >= 0x30 && ones <= 0x39;
  return digits ? (tens - 0x30) * 10 + ones - 0x30 : Number.NaN;
}

function signedBy(issuer: Issuer, bytes: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = SIGNATURES[Buffer.from(issuer.algorithm).toString('hex')];
  if (algorithm === undefined) return false;
  try {
    return verify(algorithm.digest, bytes, issuer.publicKey, signature);
  } catch {
    return false;
  }
}
