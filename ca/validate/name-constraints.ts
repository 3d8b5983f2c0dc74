import { type Element, elements, hex, members, soleElement, TAG } from '../der/read.ts';

/** The names that a certificate holds, as a constraint sees them. */
export interface ConstrainedNames {
  /** DER of the subject, a Name. */
  readonly subject: Uint8Array;
  /** GeneralName elements of the subjectAltName extension. */
  readonly names: readonly Element[];
}

/** nameConstraints of a CA certificate (RFC 5280, section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly Element[];
  readonly excluded: readonly Element[];
}

const DNS = 0x82;
const URI = 0x86;
const IP = 0x87;
const DIRECTORY = 0xa4;

/** Undefined when malformed, or with the fields minimum and maximum, which RFC 5280 forbids. */
export function parseNameConstraints(value: Uint8Array): NameConstraints | undefined {
  const lists = members(soleElement(value));
  if (lists === undefined || lists.length === 0 || lists.length > 2) return undefined;
  const found: Record<number, readonly Element[]> = {};
  for (const list of lists) {
    const bases = members(list, list.tag)?.map((subtree) => members(subtree));
    if ((list.tag !== 0xa0 && list.tag !== 0xa1) || found[list.tag] !== undefined || bases === undefined) return undefined;
    const names = bases.map((parts) => (parts?.length === 1 ? parts[0] : undefined)).filter((name) => name !== undefined);
    if (names.length !== bases.length || names.length === 0) return undefined;
    found[list.tag] = names;
  }
  return { permitted: found[0xa0] ?? [], excluded: found[0xa1] ?? [] };
}

/** The GeneralNames of a subjectAltName extension; undefined when malformed. */
export function generalNamesOf(value: Uint8Array | undefined): readonly Element[] | undefined {
  return value === undefined ? [] : members(soleElement(value));
}

/**
 * Why the names are outside of what a CA may certify, or undefined. Each name must be within a permitted subtree of its kind where there
 * is one, and within no excluded one. A kind of name that is constrained and not understood here is refused.
 */
export function outsideOf({ permitted, excluded }: NameConstraints, { subject, names }: ConstrainedNames): string | undefined {
  // An empty subject is bound by nothing (RFC 5280, section 6.1.3 b).
  const all = hex(subject) === '3000' ? names : [...names, { tag: DIRECTORY, raw: subject, value: subject }];
  for (const name of all) {
    const same = (base: Element): boolean => base.tag === name.tag;
    const allowed = permitted.filter(same);
    if (allowed.length > 0 && !allowed.some((base) => within(name, base) === true))
      return 'a name is outside of the permitted names';
    if (excluded.filter(same).some((base) => within(name, base) !== false)) return 'a name is excluded';
  }
  return undefined;
}

/** Undefined where it cannot be told, which counts against the name in both directions. */
function within(name: Element, base: Element): boolean | undefined {
  const constraint = text(base.value);
  switch (name.tag) {
    case DNS:
      return withinDomain(text(name.value), constraint, !constraint.startsWith('.'));
    case URI: {
      const host = hostOf(text(name.value));
      // A constraint with a leading dot is for hosts below it, one without for exactly that host.
      if (host === undefined) return undefined;
      return constraint.startsWith('.') ? withinDomain(host, constraint, false) : host === constraint;
    }
    case IP:
      return withinNetwork(name.value, base.value);
    case DIRECTORY:
      return withinDirectory(name.value, base.value);
    default:
      return undefined;
  }
}

function withinDomain(host: string, constraint: string, alsoItself: boolean): boolean {
  const bare = constraint.replace(/^\./, '');
  return bare === '' || host.endsWith(`.${bare}`) || (alsoItself && host === bare);
}

/** The host of a URI as bytes, without interpretation: SPIFFE IDs have neither user nor port. */
function hostOf(uri: string): string | undefined {
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@:]+)(?:[/?#]|$)/.exec(uri)?.[1];
  return host !== undefined && host !== '' ? host : undefined;
}

function withinNetwork(address: Uint8Array, network: Uint8Array): boolean | undefined {
  if (network.length !== 8 && network.length !== 32) return undefined;
  const half = network.length / 2;
  if (address.length !== half) return false;
  return address.every(
    (byte, index) => (byte & (network[half + index] ?? 0)) === ((network[index] ?? 0) & (network[half + index] ?? 0)),
  );
}

/** A Name is within another whose relative names it begins with, byte by byte: stricter than RFC 5280's folding of case. */
function withinDirectory(name: Uint8Array, base: Uint8Array): boolean | undefined {
  const [parts, start] = [relativeNames(name), relativeNames(base)];
  if (parts === undefined || start === undefined) return undefined;
  return start.every((part, index) => parts[index] === part);
}

function relativeNames(name: Uint8Array): readonly string[] | undefined {
  const sole = soleElement(name);
  const list = sole?.tag === TAG.sequence ? elements(sole.value) : undefined;
  return list?.map(({ raw }) => hex(raw));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').toLowerCase();
}
