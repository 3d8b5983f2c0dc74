import { parseTime } from './time.ts';
import { type Element, elements, hex, members, soleElement, TAG } from './read.ts';

export interface Extension {
  readonly critical: boolean;
  /** The contents of extnValue. */
  readonly value: Uint8Array;
}

/** The fields of an X.509 certificate as bytes (RFC 5280, section 4.1). */
export interface CertificateFields {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  /** By the hexadecimal of their OIDs. */
  readonly extensions: ReadonlyMap<string, Extension>;
}

/** Reads a version 3 certificate without unique identifiers; undefined when it is anything else. */
export function certificateFields(der: Uint8Array): CertificateFields | undefined {
  const [tbs] = members(soleElement(der)) ?? [];
  const [version, , , issuer, validity, subject, spki, extensions, extra] = members(tbs) ?? [];
  if (version?.tag !== TAG.context0 || extra !== undefined) return undefined;
  if (issuer === undefined || subject === undefined || spki === undefined) return undefined;
  const list = extensions === undefined ? new Map<string, Extension>() : extensionMap(soleMember(extensions, TAG.context3));
  const [from, to, more] = members(validity) ?? [];
  const [notBefore, notAfter] = [parseTime(from), parseTime(to)];
  if (notBefore === undefined || notAfter === undefined || more !== undefined) return undefined;
  return list && { issuer: issuer.raw, subject: subject.raw, notBefore, notAfter, spki: spki.raw, extensions: list };
}

function soleMember(element: Element, tag: number): Element | undefined {
  const all = members(element, tag);
  return all?.length === 1 ? all[0] : undefined;
}

/** The Extensions of a certificate or of a request, by OID; undefined when malformed or when one appears twice (RFC 5280, section 4.2). */
export function extensionMap(list: Element | undefined): ReadonlyMap<string, Extension> | undefined {
  const found = new Map<string, Extension>();
  for (const member of members(list) ?? [undefined]) {
    const parts = members(member);
    const [oid] = parts ?? [];
    const critical = parts?.length === 3 && parts[1]?.tag === TAG.boolean && hex(parts[1].value) === 'ff';
    const value = parts?.at(-1);
    if (oid?.tag !== TAG.oid || value?.tag !== TAG.octetString || parts?.length !== (critical ? 3 : 2)) return undefined;
    const name = hex(oid.value);
    if (found.has(name)) return undefined;
    found.set(name, { critical, value: value.value });
  }
  return found;
}

/** The contents of the subjectKeyIdentifier extension. */
export function subjectKeyId(fields: CertificateFields, oid: string): Uint8Array | undefined {
  const extension = fields.extensions.get(oid);
  const [id, extra] = (extension && elements(extension.value)) ?? [];
  return id?.tag === TAG.octetString && extra === undefined ? id.value : undefined;
}
