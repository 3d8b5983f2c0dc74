import { isIPv4, isIPv6 } from 'node:net';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { element } from '../der/write.ts';

/** What a certificate is for: a workload's one SPIFFE ID and the DNS names it may have besides, or the names of the control plane's own server. */
export type CertificateNames =
  | { readonly kind: 'workload'; readonly spiffeId: SpiffeId; readonly dnsNames?: readonly string[] }
  | { readonly kind: 'server'; readonly dnsNames: readonly string[]; readonly addresses: readonly IpAddress[] };

/** Four or sixteen bytes. */
export type IpAddress = Uint8Array;

const [DNS, URI, IP] = [0x82, 0x86, 0x87];

/** The GeneralNames of the subjectAltName extension (RFC 5280, section 4.2.1.6), encoded one by one. */
export function generalNames(names: CertificateNames): readonly Uint8Array[] {
  const { dnsNames = [] } = names;
  const dns = dnsNames.map((name) => element(DNS, Buffer.from(name, 'latin1')));
  if (names.kind === 'workload') return [element(URI, Buffer.from(names.spiffeId, 'latin1')), ...dns];
  return [...dns, ...names.addresses.map((address) => element(IP, address))];
}

/** The same names as node:crypto prints them in X509Certificate.subjectAltName. */
export function printedNames(names: CertificateNames): string {
  if (names.kind === 'workload')
    return [`URI:${names.spiffeId}`, ...(names.dnsNames ?? []).map((name) => `DNS:${name}`)].join(', ');
  return [
    ...names.dnsNames.map((name) => `DNS:${name}`),
    ...names.addresses.map((address) => `IP Address:${printed(address)}`),
  ].join(', ');
}

/** The bytes of an IP address in any textual form without a zone; undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  // The WHATWG URL parser writes every IPv6 address in one way: groups of hexadecimal digits with at most one "::".
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** As OpenSSL prints addresses: IPv6 in upper case, without leading zeros and never shortened. */
function printed(address: IpAddress): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (address[2 * index] ?? 0) * 256 + (address[2 * index + 1] ?? 0));
  return groups.map((group) => group.toString(16).toUpperCase()).join(':');
}
