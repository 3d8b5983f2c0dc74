import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { FIRST, type RotationState } from './state.ts';

/** A root that was taken out of service. */
export interface RevokedRoot {
  readonly generation: number;
  /** Fingerprints of its roots, SHA-256. */
  readonly sha256: readonly string[];
  readonly revokedAt: string;
}

/** What rotation.json holds: the one place that says which root does what. Every step is one replacement of this file. */
export interface RotationRecord {
  readonly state: RotationState;
  /** When `state` was reached. */
  readonly since: string;
  /** The highest generation ever made; numbers are not used again. */
  readonly last: number;
  readonly revoked: readonly RevokedRoot[];
}

const FORMAT = 1;

export function rotationFile(dir: string): string {
  return join(dir, 'rotation.json');
}

/** The record, or undefined where no root was ever rotated. A damaged one is refused: guessing could sign with the wrong key. */
export async function readRotation(dir: string): Promise<RotationRecord | undefined> {
  const path = rotationFile(dir);
  if (!existsSync(path)) return undefined;
  const record = parseRotation(await readFile(path, 'utf8'));
  if (record === undefined)
    throw new AuthorityError(`${path} cannot be read as the state of a root rotation; restore the folder from a backup`);
  return record;
}

export async function writeRotation(dir: string, record: RotationRecord): Promise<void> {
  await writeAtomically(rotationFile(dir), rotationText(record), 0o600);
}

export function rotationText(record: RotationRecord): string {
  return `${JSON.stringify({ format: FORMAT, ...record }, null, 2)}\n`;
}

export const NEVER_ROTATED: RotationRecord = Object.freeze({ state: FIRST, since: '', last: 0, revoked: [] });

/** Undefined for a text that is no record. */
export function parseRotation(text: string): RotationRecord | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { format, state, since, last, revoked } = fieldsOf(content);
  const parsed = parseState(state);
  if (format !== FORMAT || parsed === undefined || typeof since !== 'string' || !isNumber(last)) return undefined;
  if (!Array.isArray(revoked)) return undefined;
  const roots = revoked.map(parseRevoked);
  if (roots.some((root) => root === undefined)) return undefined;
  return { state: parsed, since, last, revoked: roots.filter((root) => root !== undefined) };
}

function parseState(value: unknown): RotationState | undefined {
  const { phase, signing, old, next } = fieldsOf(value);
  if (phase === 'steady') return isNumber(signing) ? { phase, signing } : undefined;
  if (phase !== 'prepared' && phase !== 'active' && phase !== 'retiring') return undefined;
  return isNumber(old) && isNumber(next) && old !== next ? { phase, old, next } : undefined;
}

function parseRevoked(value: unknown): RevokedRoot | undefined {
  const { generation, sha256, revokedAt } = fieldsOf(value);
  if (!isNumber(generation) || typeof revokedAt !== 'string' || !Array.isArray(sha256)) return undefined;
  return { generation, revokedAt, sha256: sha256.filter((one) => typeof one === 'string') };
}

type Field =
  | 'format'
  | 'state'
  | 'since'
  | 'last'
  | 'revoked'
  | 'phase'
  | 'signing'
  | 'old'
  | 'next'
  | 'generation'
  | 'sha256'
  | 'revokedAt';

function fieldsOf(value: unknown): { readonly [Name in Field]?: unknown } {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
