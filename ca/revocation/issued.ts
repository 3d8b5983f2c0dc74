import { createReadStream, existsSync } from 'node:fs';
import { parseSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';
import { parseSerial, type RevocationTarget, type RevokedCertificate } from './revocation.ts';

export interface IssuedCertificate extends RevokedCertificate {
  /** Absent on certificates of the control plane's own server. */
  readonly identity?: SpiffeId;
}

/** Finds what was issued, expired or not: the one certificate with a serial number, or all of an identity. */
export type FindIssued = (target: RevocationTarget) => Promise<readonly IssuedCertificate[]>;

/**
 * Searches the issuance log. Only lines that hold the words are parsed: in an emergency a log of years must not take longer than
 * reading its bytes. An intent without a result counts, since its certificate may be out.
 */
export function issuedInLog(path: string): FindIssued {
  return issuedInLogs(() => Promise.resolve([path]));
}

/** The same over the logs of several replicas. */
export function issuedInLogs(paths: () => Promise<readonly string[]>): FindIssued {
  return async (target) => {
    const found = await Promise.all((await paths()).map((path) => issuedIn(path)(target)));
    return found.flat();
  };
}

function issuedIn(path: string): FindIssued {
  return async (target) => {
    const words = target.kind === 'serial' ? `"${target.serial}"` : `"URI:${target.identity}"`;
    const found = new Map<string, IssuedCertificate>();
    if (!existsSync(path)) return [];
    for await (const line of linesWith(path, Buffer.from(words))) {
      const certificate = certificateOf(line);
      if (certificate === undefined) continue;
      const meant = target.kind === 'serial' ? certificate.serial === target.serial : certificate.identity === target.identity;
      if (meant) found.set(certificate.serial, certificate);
    }
    return [...found.values()];
  };
}

const NEWLINE = 0x0a;
const CHUNK = 1 << 20;

/** The lines of a file that hold some bytes. */
async function* linesWith(path: string, words: Buffer): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    for (let at = bytes.indexOf(words); at !== -1 && at < end;) {
      const close = bytes.indexOf(NEWLINE, at);
      yield bytes.toString('utf8', bytes.lastIndexOf(NEWLINE, at) + 1, close);
      at = bytes.indexOf(words, close);
    }
    rest = bytes.subarray(end);
  }
}

function certificateOf(line: string): IssuedCertificate | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [serial, names, notAfter] = [fields.get('serial'), fields.get('names'), fields.get('notAfter')];
  if (fields.get('kind') !== 'intent' || typeof serial !== 'string' || typeof names !== 'string' || typeof notAfter !== 'string')
    return undefined;
  const number = parseSerial(serial);
  const id = parseSpiffeId(names.replace(/^URI:/, ''));
  return number.ok ? { serial: number.value, notAfter, ...(id.ok && { identity: id.value }) } : undefined;
}
