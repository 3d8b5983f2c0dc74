import { type SpiffeId, withScheme } from '../identity/spiffe-id.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** What is cut off: one certificate, or an identity with every certificate it has and will ask for. */
export type RevocationTarget =
  { readonly kind: 'serial'; readonly serial: Serial } | { readonly kind: 'identity'; readonly identity: SpiffeId };

declare const serial: unique symbol;

/** A certificate's serial number in lower-case hexadecimal, two digits a byte, as the issuance log and Envoy write it. */
export type Serial = string & { readonly [serial]: true };

export interface RevokedCertificate {
  readonly serial: Serial;
  /** RFC 3339. After it the certificate is refused by its age, and needs no entry any more. */
  readonly notAfter: string;
}

/** Who cut it off, when and why. */
export interface RevocationRecord {
  readonly reason: string;
  readonly time: string;
  readonly by: string;
}

export type Revocation = RevocationRecord &
  (
    | ({ readonly kind: 'serial'; readonly identity?: SpiffeId } & RevokedCertificate)
    /** `certificates`: those of the identity that were valid when it was cut off, for lists that know only serial numbers. */
    | { readonly kind: 'identity'; readonly identity: SpiffeId; readonly certificates: readonly RevokedCertificate[] }
  );

/** RFC 5280, section 5.3.1, without those that mean something else than the end of a certificate. */
export const REASON_CODES: Readonly<Record<string, number>> = Object.freeze({
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
});

export const DEFAULT_REASON = 'unspecified';
const LONGEST_TEXT = 200;

function isSerial(text: string): text is Serial {
  // RFC 5280, section 4.1.2.2: at most 20 bytes.
  return /^(?:[0-9a-f]{2}){1,20}$/.test(text);
}

/** Takes the spellings of openssl (`4F:3D`, `4F3D`), Envoy and the issuance log. */
export function parseSerial(text: string): Parsed<Serial> {
  const digits = text.trim().replace(/^0x/i, '').replaceAll(':', '').toLowerCase();
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return isSerial(even) ? parsed(even) : refused('a serial number is 1 to 20 bytes in hexadecimal');
}

/** A SPIFFE ID with or without `spiffe://`. */
export function parseIdentity(text: string): Parsed<SpiffeId> {
  return parseSpiffeId(withScheme(text));
}

/** A reason or a name, for people: one line of bounded length. */
export function parseText(text: string): Parsed<string> {
  if (text.length > LONGEST_TEXT) return refused(`it is longer than ${LONGEST_TEXT} characters`);
  return /^[^\p{Cc}]+$/u.test(text) ? parsed(text) : refused('it must be one line of text, without control characters');
}

export function isTarget(revocation: Revocation, target: RevocationTarget): boolean {
  switch (target.kind) {
    case 'serial':
      return revocation.kind === 'serial' && revocation.serial === target.serial;
    case 'identity':
      return revocation.kind === 'identity' && revocation.identity === target.identity;
    default:
      return target satisfies never;
  }
}

/** For messages. */
export function targetText(target: RevocationTarget): string {
  return target.kind === 'serial' ? `the certificate ${target.serial}` : target.identity;
}
