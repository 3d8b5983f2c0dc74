/**
 * Whether a revocation list that the control plane gave names a serial number. Looked for as the bytes of its INTEGER before a time
 * (RFC 5280, section 5.1): a serial of more than a hundred random bits is nowhere else by accident, and a miss or a hit in error only moves
 * the next renewal.
 * @param crlPem PEM, one list after another
 */
export function isListed(crlPem: string, serial: string): boolean {
  const bytes = Buffer.from(serial, 'hex');
  if (bytes.length === 0) return false;
  const wanted = [0x17, 0x18].map((time) => Buffer.concat([Buffer.from([0x02, bytes.length]), bytes, Buffer.from([time])]));
  return revocationLists(crlPem).some((list) => wanted.some((entry) => list.includes(entry)));
}

/** The revocation lists in a PEM text, DER. */
export function revocationLists(pem: string): readonly Buffer[] {
  const blocks = pem.matchAll(/-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g);
  return [...blocks].map(([, body = '']) => Buffer.from(body, 'base64'));
}

/** Whether the control plane ended a call because the caller's certificate was revoked. The words are those of our own authority. */
export function saysRevoked(details: string): boolean {
  return /\bthe certificate [0-9a-f]+ was revoked\b/.test(details);
}
