import { X509Certificate } from 'node:crypto';
import { certificateFields } from '../der/certificate.ts';
import { hex, members, soleElement } from '../der/read.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const LIST = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g;

/**
 * Whether there is a revocation list of every CA. A verifier that checks whole chains (Envoy's SPIFFE validator) refuses every
 * certificate under one that has none, as those above an issuing intermediate mostly do.
 */
export function listsCover(casPem: string, crlPem: string): boolean {
  const issuers = new Set([...crlPem.matchAll(LIST)].map(([, body = '']) => issuerOfList(Buffer.from(body, 'base64'))));
  const authorities = casPem.match(CERTIFICATE) ?? [];
  return authorities.length > 0 && authorities.every((pem) => issuers.has(subjectOf(pem)));
}

/** RFC 5280, section 5.1: TBSCertList is version (always there with version 2), signature, issuer. */
function issuerOfList(der: Uint8Array): string | undefined {
  const [list] = members(soleElement(der)) ?? [];
  const [, , issuer] = members(list) ?? [];
  return issuer && hex(issuer.raw);
}

function subjectOf(pem: string): string | undefined {
  const fields = certificateFields(new X509Certificate(pem).raw);
  // Unlike an unreadable list's issuer, which is undefined as well.
  return fields === undefined ? 'unreadable' : hex(fields.subject);
}
