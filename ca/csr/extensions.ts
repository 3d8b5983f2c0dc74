import { extensionMap, type Extension } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { type Element, hex, members, soleElement, TAG } from '../der/read.ts';
import { type DnsName, parseDnsName } from '../dns/dns-name.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** The names that a request asks for. */
export interface RequestedNames {
  readonly uris: readonly string[];
  readonly dnsNames: readonly DnsName[];
}

const EXTENDED_USAGES: readonly string[] = Object.freeze([OID.serverAuth, OID.clientAuth]);
// keyCertSign and cRLSign, RFC 5280 section 4.2.1.3.
const CA_USAGES = 0x06;

/**
 * Extensions a request may ask for. Only the names are taken over; the others are what agents (ztunnel, OpenSSL) send by
 * habit, tolerated where they ask for no more than every certificate here has, and never copied. Gives back why not. A Map, since V8
 * compiles an object's look-up by a text that was just made again and again.
 */
const ALLOWED: ReadonlyMap<string, (value: Uint8Array) => string | undefined> = new Map(
  Object.entries({
    [OID.subjectAltName]: () => undefined,
    [OID.basicConstraints]: (value) => (hex(value) === '3000' ? undefined : 'it asks for a CA certificate'),
    [OID.keyUsage]: (value) => {
      const bits = soleElement(value);
      const [, first] = bits?.value ?? [];
      if (bits?.tag !== TAG.bitString || first === undefined) return 'its key usage is malformed';
      return (first & CA_USAGES) === 0 ? undefined : 'it asks for the key usage of a CA';
    },
    [OID.extendedKeyUsage]: (value) => {
      const usages = members(soleElement(value));
      const fine = usages?.every((usage) => usage.tag === TAG.oid && EXTENDED_USAGES.includes(hex(usage.value)));
      return fine === true ? undefined : 'it asks for an extended key usage other than server and client authentication';
    },
    [OID.subjectKeyIdentifier]: (value) =>
      soleElement(value)?.tag === TAG.octetString ? undefined : 'its key identifier is malformed',
  }),
);

/** The names that a request's attributes ask for. Attributes, extensions and kinds of names other than URI and DNS are refused. */
export function requestedNames(attributes: readonly Element[]): Parsed<RequestedNames> {
  if (attributes.length === 0) return parsed(NO_NAMES);
  const [type, values, extra] = members(attributes[0]) ?? [];
  if (type?.tag !== TAG.oid || values === undefined || extra !== undefined) return refused('its attributes are malformed');
  if (attributes.length > 1 || hex(type.value) !== OID.extensionRequest)
    return refused('it has attributes other than one extension request');
  const requests = members(values, TAG.set);
  const extensions = requests?.length === 1 ? extensionMap(requests[0]) : undefined;
  return extensions === undefined ? refused('its extensions are malformed') : namesOf(extensions);
}

const NO_NAMES: RequestedNames = Object.freeze({ uris: Object.freeze([]), dnsNames: Object.freeze([]) });
// Enough for the names of one service; each goes into a certificate that every peer reads.
const MOST_DNS_NAMES = 16;

function namesOf(extensions: ReadonlyMap<string, Extension>): Parsed<RequestedNames> {
  for (const [oid, { value }] of extensions) {
    const check = ALLOWED.get(oid);
    if (check === undefined) return refused('it asks for an extension that is not allowed');
    const reason = check(value);
    if (reason !== undefined) return refused(reason);
  }
  const names = extensions.get(OID.subjectAltName);
  if (names === undefined) return parsed(NO_NAMES);
  const list = members(soleElement(names.value));
  if (list === undefined || list.length === 0) return refused('its subject alternative names are malformed');
  const uris: string[] = [];
  const dnsNames: DnsName[] = [];
  for (const { tag, value } of list) {
    const text = Buffer.from(value).toString('latin1');
    if (tag === TAG.uriName) uris.push(text);
    else if (tag !== TAG.dnsName) return refused('it asks for names other than URIs and DNS names');
    else {
      const name = parseDnsName(text);
      if (!name.ok) return refused(`a name it asks for is ${name.reason}`);
      if (dnsNames.includes(name.value)) return refused('it asks for a DNS name twice');
      dnsNames.push(name.value);
      if (dnsNames.length > MOST_DNS_NAMES) return refused(`it asks for more than ${MOST_DNS_NAMES} DNS names`);
    }
  }
  return parsed({ uris, dnsNames });
}
