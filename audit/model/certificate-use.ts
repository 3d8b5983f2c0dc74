/** The calls of an edge that were made with one certificate. Times are ms since the epoch. */
export interface CertificateUse {
  /** Lower-case hexadecimal without zeros before it; `OTHER_CERTIFICATES` for those beyond what is told apart. */
  readonly serial: string;
  readonly count: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** Certificates are the mesh's own, but who may ask for them could ask for many: an edge tells this many apart in each minute. */
const MOST = 50;

export const OTHER_CERTIFICATES = '{other}';

// RFC 5280, section 4.1.2.2: 20 octets at most.
const SERIAL = /^[0-9a-f]{1,40}$/;

/** As proxies and the issuance log write it: with zeros before it, in either case; undefined for what is none. */
export function serialOf(text: string | undefined): string | undefined {
  const serial = text?.toLowerCase().replace(/^0+(?=.)/, '');
  return serial !== undefined && SERIAL.test(serial) ? serial : undefined;
}

export function oneUse(serial: string, time: number): CertificateUse {
  return { serial, count: 1, firstSeen: time, lastSeen: time };
}

function add(a: CertificateUse, b: CertificateUse): CertificateUse {
  return {
    serial: a.serial,
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
  };
}

/** Adds up what has the same serial number. */
export function addUses(
  a: readonly CertificateUse[] | undefined,
  b: readonly CertificateUse[] | undefined,
  most = MOST,
): readonly CertificateUse[] | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [only] = a;
  const [other] = b;
  // Nearly always: one caller with one certificate.
  if (a.length === 1 && b.length === 1 && only !== undefined && other !== undefined && only.serial === other.serial)
    return [add(only, other)];
  const uses = new Map(a.map((use) => [use.serial, use] as const));
  for (const use of b) {
    const serial = uses.has(use.serial) || uses.size < most ? use.serial : OTHER_CERTIFICATES;
    const known = uses.get(serial);
    uses.set(serial, known === undefined ? { ...use, serial } : add(known, use));
  }
  return [...uses.values()];
}
