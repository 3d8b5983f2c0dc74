import { parsed, refused, type Parsed } from '../identity/parsed.ts';

declare const dnsName: unique symbol;

/** A host name as certificates have it (RFC 1034, section 3.5; RFC 5890 A-labels): lower case, no wildcard, no dot at the end. */
export type DnsName = string & { readonly [dnsName]: true };

const LONGEST = 253;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
// What looks like an address is no name: clients would compare it as one or as the other.
const NUMBER = /^([0-9]+|0x[0-9a-f]*)$/;
// xn-- is the prefix of A-labels; other pairs of dashes in the third and fourth place are reserved (RFC 5891, section 4.2.3.1).
const RESERVED = /^(?!xn--)..--/;

function isDnsName(text: string): text is DnsName {
  const labels = text.split('.');
  return (
    text.length <= LONGEST &&
    labels.every((label) => LABEL.test(label) && !RESERVED.test(label)) &&
    !NUMBER.test(labels.at(-1) ?? '')
  );
}

export function parseDnsName(text: string): Parsed<DnsName> {
  return isDnsName(text) ? parsed(text) : refused('no DNS name in lower case without wildcards');
}
