import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import type { KnownIssuer } from './issuers.ts';
import { EMPTY_LIST, type RevocationList } from './list.ts';
import { parseIdentity, parseSerial, type Revocation, type RevokedCertificate } from './revocation.ts';

const VERSION = 1;

/** Where the list is kept; a port, so that replicas may share one. */
export interface RevocationStore {
  /** Rejects when it is there and cannot be understood: a list must never be taken for empty by mistake. */
  load(): Promise<RevocationList>;
  /** Resolves once the list is on disk and survives any crash. */
  save(list: RevocationList): Promise<void>;
}

/** The list as one JSON file, replaced whole. */
export function revocationFile(path: string): RevocationStore {
  return {
    async load() {
      const text = await contents(path);
      if (text === undefined) return EMPTY_LIST;
      const list = parseList(text);
      if (list === undefined)
        throw new AuthorityError(
          `${path} is damaged, so nobody knows who is revoked; restore it from a backup, or move it away and revoke again`,
        );
      return list;
    },
    save: (list) => writeAtomically(path, listText(list), 0o600),
  };
}

export function listText(list: RevocationList): string {
  return `${JSON.stringify({ version: VERSION, ...list }, null, 1)}\n`;
}

async function contents(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
}

export function parseList(text: string): RevocationList | undefined {
  let document: Fields | undefined;
  try {
    document = fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { version, crlNumber, entries, issuers = [], newest } = document ?? {};
  if (version !== VERSION || typeof crlNumber !== 'number' || !Number.isSafeInteger(crlNumber) || crlNumber < 0) return undefined;
  if (!Array.isArray(entries) || !Array.isArray(issuers) || !(newest === undefined || isTime(newest))) return undefined;
  const [found, known] = [entries.map(entryOf), issuers.map(issuerOf)];
  if (!found.every((entry) => entry !== undefined) || !known.every((issuer) => issuer !== undefined)) return undefined;
  // Lists of older versions do not say it.
  const last = newest ?? newestOf(found);
  return { crlNumber, entries: found, issuers: known, ...(last !== undefined && { newest: last }) };
}

function newestOf(entries: readonly Revocation[]): string | undefined {
  return entries
    .map(({ time }) => time)
    .sort((one, other) => Date.parse(one) - Date.parse(other))
    .at(-1);
}

function issuerOf(value: unknown): KnownIssuer | undefined {
  const { keyId, lifetimeSeconds, until } = fieldsOf(value) ?? {};
  if (typeof keyId !== 'string' || typeof lifetimeSeconds !== 'number' || !(until === undefined || isTime(until)))
    return undefined;
  return { keyId, lifetimeSeconds, ...(until !== undefined && { until }) };
}

function entryOf(value: unknown): Revocation | undefined {
  const fields = fieldsOf(value);
  const { kind, reason, time, by, identity } = fields ?? {};
  if (fields === undefined || typeof reason !== 'string' || typeof by !== 'string' || !isTime(time)) return undefined;
  const id = typeof identity === 'string' ? parseIdentity(identity) : undefined;
  if (id?.ok === false) return undefined;
  const record = { reason, time, by };
  if (kind === 'serial') {
    const certificate = certificateOf(fields);
    return certificate && { kind, ...certificate, ...(id && { identity: id.value }), ...record };
  }
  const { certificates } = fields;
  if (kind !== 'identity' || id === undefined || !Array.isArray(certificates)) return undefined;
  const listed = certificates.map(certificateOf);
  return listed.every((certificate) => certificate !== undefined)
    ? { kind, identity: id.value, certificates: listed, ...record }
    : undefined;
}

function certificateOf(value: unknown): RevokedCertificate | undefined {
  const { serial, notAfter } = fieldsOf(value) ?? {};
  const number = typeof serial === 'string' ? parseSerial(serial) : undefined;
  return number?.ok === true && isTime(notAfter) ? { serial: number.value, notAfter } : undefined;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}
