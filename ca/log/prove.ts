import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { lastCheckpoint } from './checkpoint-file.ts';
import type { LogFiles } from './files.ts';
import { linesOf } from './lines.ts';
import { leafHash } from './merkle/hash.ts';
import { consistencyRows, inclusionRows, type Row, RowHasher } from './merkle/proof.ts';
import { verifyConsistency, verifyInclusion } from './merkle/verify.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { type NoteVerifier, verifierKey } from './note.ts';
import type { Witness } from './sworn.ts';

/** That a record is in the log: whoever has the checkpoint and the key can check it without the log. Hashes are base64. */
export interface ProvenRecord {
  /** The line as it is in the log: its bytes are what is hashed. */
  readonly record: string;
  /** Counted from 0, as RFC 6962 does. */
  readonly index: number;
  readonly leafHash: string;
  readonly auditPath: readonly string[];
}

export interface LogProof {
  readonly verifierKey: string;
  /** A signed note. */
  readonly checkpoint: string;
  readonly size: number;
  readonly rootHash: string;
  readonly records: readonly ProvenRecord[];
  /** That the tree extends the one of an older checkpoint. */
  readonly consistency?: { readonly size: number; readonly rootHash: string; readonly proof: readonly string[] };
}

export interface ProofQuestion {
  /** Lower-case hexadecimal. */
  readonly serial?: string | undefined;
  readonly older?: Witness | undefined;
}

const base64 = (bytes: Buffer): string => bytes.toString('base64');

/** Proves that the records about a certificate are in the log, by its newest checkpoint; every proof is verified before it is given. */
export async function prove(
  files: LogFiles,
  verifier: NoteVerifier,
  { serial, older }: ProofQuestion,
): Promise<Parsed<LogProof>> {
  const filed = await lastCheckpoint(files.checkpoints, verifier);
  if (filed === undefined)
    return refused('the log has no checkpoint yet; the first is written within seconds of the first record');
  if (!filed.opened.ok) return refused(`the newest checkpoint does not count: ${filed.opened.reason}`);
  const { size, root } = filed.opened.value;
  const before = older === undefined ? undefined : openCheckpoint(older.note, verifier);
  if (before?.ok === false) return refused(`${older?.source ?? ''}: ${before.reason}`);
  if (before !== undefined && (before.value.size > size || before.value.size === 0))
    return refused(`${older?.source ?? ''}: it is of ${before.value.size} records, the newest checkpoint of ${size}`);
  const found = serial === undefined ? [] : await recordsAbout(files, serial);
  const covered = found.filter(({ index }) => index < size);
  if (serial !== undefined && covered.length === 0)
    return refused(
      found.length === 0
        ? `no record is about the serial number ${serial}`
        : 'the records about it are newer than the newest checkpoint; the next is written within seconds',
    );
  const paths = covered.map((record) => ({ ...record, rows: inclusionRows(record.index, size) }));
  const extension = before && consistencyRows(before.value.size, size);
  const hasher = await hashed(files, size, [...paths.flatMap(({ rows }) => rows), ...(extension ?? [])]);
  if (hasher === undefined) return refused('the log has fewer records than its newest checkpoint; run gatehouse ca log verify');
  const records: ProvenRecord[] = [];
  for (const { line, index, rows } of paths) {
    const [leaf, path] = [leafHash(line), hasher.hashes(rows)];
    if (!verifyInclusion({ leaf, index, size, path, root }))
      return refused(`record ${index + 1} is not what the checkpoint swears to; run gatehouse ca log verify`);
    records.push({ record: line.toString('utf8'), index, leafHash: base64(leaf), auditPath: path.map(base64) });
  }
  const consistency = before && extension && consistent(before.value, { size, root }, hasher.hashes(extension));
  if (consistency?.ok === false) return refused(`${older?.source ?? ''}: ${consistency.reason}`);
  return parsed({
    verifierKey: verifierKey(verifier),
    checkpoint: filed.note,
    size,
    rootHash: base64(root),
    records,
    ...(consistency && { consistency: consistency.value }),
  });
}

function consistent(
  older: Checkpoint,
  newer: Checkpoint,
  proof: readonly Buffer[],
): Parsed<NonNullable<LogProof['consistency']>> {
  if (!verifyConsistency({ older, newer, proof })) return refused('the log does not extend it: records up to it were changed');
  return parsed({ size: older.size, rootHash: base64(older.root), proof: proof.map(base64) });
}

interface FoundRecord {
  readonly index: number;
  readonly line: Buffer;
}

// An intent and its result; more means that somebody writes the log by hand.
const MOST_RECORDS = 16;

async function recordsAbout(files: LogFiles, serial: string): Promise<readonly FoundRecord[]> {
  const words = Buffer.from(`"serial":"${serial}"`);
  const found: FoundRecord[] = [];
  let index = 0;
  for await (const { lines } of linesOf(files.records))
    for (const line of lines) {
      if (line.includes(words) && found.length < MOST_RECORDS) found.push({ index, line: Buffer.from(line) });
      index++;
    }
  return found;
}

async function hashed(files: LogFiles, size: number, rows: readonly Row[]): Promise<RowHasher | undefined> {
  const hasher = new RowHasher(rows);
  let count = 0;
  for await (const { lines } of linesOf(files.records))
    for (const line of lines) {
      if (count === size) return hasher;
      hasher.add(leafHash(line));
      count++;
    }
  return count === size ? hasher : undefined;
}
