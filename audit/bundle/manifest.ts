import { hash } from 'node:crypto';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import type { ArchivedFile } from './tar.ts';

export const FORMAT = 'gatehouse.dev/audit-bundle/v1';
export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.sig';
export const SIGNER = 'signer.pem';

export interface ListedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What is signed: everything else in a bundle follows from it by hashes. */
export interface Manifest {
  readonly format: typeof FORMAT;
  /** RFC 3339; the moment of signing. */
  readonly createdAt: string;
  readonly preparedBy: string;
  readonly version: string;
  readonly store: string;
  readonly period: { readonly since: string | null; readonly until: string };
  readonly files: readonly ListedFile[];
}

function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes);
}

export function listed(files: readonly ArchivedFile[]): readonly ListedFile[] {
  return files.map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: sha256(bytes) }));
}

export function manifestBytes(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

function fileOf(value: unknown): ListedFile | undefined {
  const { path, bytes, sha256: digest } = fieldsOf(value) ?? {};
  if (typeof path !== 'string' || typeof bytes !== 'number' || typeof digest !== 'string') return undefined;
  return /^[0-9a-f]{64}$/.test(digest) ? { path, bytes, sha256: digest } : undefined;
}

export function parseManifest(bytes: Uint8Array): Parsed<Manifest> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return refused('the manifest is no JSON');
  }
  const { format, createdAt, preparedBy, version, store, period, files } = fieldsOf(value) ?? {};
  if (format !== FORMAT) return refused(`the manifest is not of the format ${FORMAT}`);
  const { since, until } = fieldsOf(period) ?? {};
  if (
    typeof createdAt !== 'string' ||
    Number.isNaN(Date.parse(createdAt)) ||
    typeof preparedBy !== 'string' ||
    typeof version !== 'string' ||
    typeof store !== 'string' ||
    typeof until !== 'string' ||
    (since !== null && typeof since !== 'string') ||
    !Array.isArray(files)
  )
    return refused('the manifest does not say all that it must');
  const list = files.map(fileOf);
  const good = list.filter((one) => one !== undefined);
  if (good.length !== list.length) return refused('a file of the manifest is malformed');
  return parsed({ format: FORMAT, createdAt, preparedBy, version, store, period: { since, until }, files: good });
}

/** What is not as the manifest says: files that are missing, not listed, in another order, or of other bytes. */
export function faultsIn(manifest: Manifest, files: readonly ArchivedFile[]): readonly string[] {
  const found: string[] = [];
  const given = new Map(files.map((file) => [file.path, file]));
  for (const { path, bytes, sha256: digest } of manifest.files) {
    const file = given.get(path);
    if (file === undefined) found.push(`${path} is missing`);
    else if (file.bytes.length !== bytes || sha256(file.bytes) !== digest) found.push(`${path} was changed`);
  }
  const names = new Set(manifest.files.map(({ path }) => path));
  for (const { path } of files) if (!names.has(path)) found.push(`${path} was added`);
  const order = [...given.keys()].join('\n') === manifest.files.map(({ path }) => path).join('\n');
  if (found.length === 0 && !order) found.push('the files are in another order');
  return found;
}
