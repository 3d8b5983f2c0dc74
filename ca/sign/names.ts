import { isIPv4 } from 'node:net';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { element } from '../der/write.ts';

/** What a certificate is for: a workload's one SPIFFE ID, or the names of the control plane's own server. */
export type CertificateNames =
  | { readonly kind: 'workload'; readonly spiffeId: SpiffeId }
  | { readonly kind: 'server'; readonly dnsNames: readonly string[]; readonly ipv4Addresses: readonly string[] };

const [DNS, URI, IP] = [0x82, 0x86, 0x87];

/** The GeneralNames of the subjectAltName extension (RFC 5280, section 4.2.1.6), encoded one by one. */
export function generalNames(names: CertificateNames): readonly Uint8Array[] {
  if (names.kind === 'workload') return [element(URI, Buffer.from(names.spiffeId, 'latin1'))];
  return [
    ...names.dnsNames.map((name) => element(DNS, Buffer.from(name, 'latin1'))),
    ...names.ipv4Addresses.filter(isIPv4).map((address) => element(IP, Buffer.from(address.split('.').map(Number)))),
  ];
}

/** The same names as node:crypto prints them in X509Certificate.subjectAltName. */
export function printedNames(names: CertificateNames): string {
  if (names.kind === 'workload') return `URI:${names.spiffeId}`;
  return [
    ...names.dnsNames.map((name) => `DNS:${name}`),
    ...names.ipv4Addresses.filter(isIPv4).map((ip) => `IP Address:${ip}`),
  ].join(', ');
}
