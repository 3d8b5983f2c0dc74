import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { openCheckpoint } from '../../ca/log/checkpoint.ts';
import { lastCheckpoint } from '../../ca/log/checkpoint-file.ts';
import type { LogFiles } from '../../ca/log/files.ts';
import { linesOf } from '../../ca/log/lines.ts';
import { EMPTY, extend, rootOf } from '../../ca/log/merkle/frontier.ts';
import { leafHash, nodeHash, type TreeHash } from '../../ca/log/merkle/hash.ts';
import { inclusionRows, type Row } from '../../ca/log/merkle/proof.ts';
import { verifyInclusion } from '../../ca/log/merkle/verify.ts';
import { type NoteVerifier, parseVerifierKey, verifierKey } from '../../ca/log/note.ts';
import { parseRecord } from '../../ca/log/read.ts';

/** What the issuance log swears to, and that records are among it (RFC 6962). Hashes are base64. */
export interface LogEvidence {
  /** A signed note (C2SP tlog-checkpoint). */
  readonly checkpoint: string;
  readonly verifierKey: string;
  /** A line of JSON each: `{record, index, auditPath}`. */
  readonly proofs: string;
  /** Records that are newer than the checkpoint, so that nothing vouches for them yet. */
  readonly uncovered: number;
}

/** Roots of any rows of leaves; those of the complete subtrees are kept, so that many proofs cost little more than one. */
class Subtrees {
  readonly #leaves: readonly TreeHash[];
  readonly #known = new Map<number, Map<number, TreeHash>>();

  constructor(leaves: readonly TreeHash[]) {
    this.#leaves = leaves;
  }

  root({ start, end }: Row): TreeHash {
    const size = end - start;
    if (size === 1) return this.#leaves[start] ?? rootOf(EMPTY);
    const known = this.#known.get(size)?.get(start);
    if (known !== undefined) return known;
    let split = 1;
    while (split * 2 < size) split *= 2;
    const made = nodeHash(this.root({ start, end: start + split }), this.root({ start: start + split, end }));
    const sizes = this.#known.get(size) ?? new Map<number, TreeHash>();
    this.#known.set(size, sizes.set(start, made));
    return made;
  }
}

/** Proves by the newest checkpoint that the records about these serial numbers are in the log. */
export async function logEvidence(
  files: LogFiles,
  verifier: NoteVerifier,
  serials: ReadonlySet<string>,
): Promise<Parsed<LogEvidence>> {
  const filed = await lastCheckpoint(files.checkpoints, verifier);
  if (filed === undefined)
    return refused('the issuance log has no checkpoint yet; a running authority writes the first one within seconds');
  if (!filed.opened.ok) return refused(`the newest checkpoint of the issuance log does not count: ${filed.opened.reason}`);
  const { size, root } = filed.opened.value;
  const leaves: TreeHash[] = [];
  const found: { readonly index: number; readonly record: string }[] = [];
  let uncovered = 0;
  for await (const { lines } of linesOf(files.records))
    for (const line of lines) {
      const text = line.toString('utf8');
      const record = parseRecord(text);
      const about = record !== undefined && 'serial' in record && serials.has(record.serial);
      if (leaves.length === size) uncovered += about ? 1 : 0;
      else {
        if (about) found.push({ index: leaves.length, record: text });
        leaves.push(leafHash(line));
      }
    }
  if (leaves.length < size || !rootOf(extend(EMPTY, leaves)).equals(root))
    return refused('the issuance log is not what its newest checkpoint swears to; run gatehouse ca log verify');
  const subtrees = new Subtrees(leaves);
  const proofs = found.map(({ record, index }) => {
    const auditPath = inclusionRows(index, size).map((row) => subtrees.root(row).toString('base64'));
    return `${JSON.stringify({ record, index, auditPath })}\n`;
  });
  return parsed({ checkpoint: filed.note, verifierKey: verifierKey(verifier), proofs: proofs.join(''), uncovered });
}

interface Proof {
  readonly record: string;
  readonly index: number;
  readonly auditPath: readonly string[];
}

function proofOf(line: string): Proof | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { record, index, auditPath }: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(value));
    if (typeof record !== 'string' || typeof index !== 'number' || !Array.isArray(auditPath)) return undefined;
    const path = auditPath.filter((hash): hash is string => typeof hash === 'string');
    return path.length === auditPath.length ? { record, index, auditPath: path } : undefined;
  } catch {
    return undefined;
  }
}

/** Checks every proof against the checkpoint, without the log. Gives how many there are. */
export function verifyEvidence({ checkpoint, verifierKey: key, proofs }: Omit<LogEvidence, 'uncovered'>): Parsed<number> {
  const verifier = parseVerifierKey(key);
  if (!verifier.ok) return refused(`the key of the issuance log: ${verifier.reason}`);
  const opened = openCheckpoint(checkpoint, verifier.value);
  if (!opened.ok) return refused(`the checkpoint of the issuance log: ${opened.reason}`);
  const { size, root } = opened.value;
  const lines = proofs.split('\n').filter((line) => line !== '');
  for (const [at, line] of lines.entries()) {
    const proof = proofOf(line);
    if (proof === undefined) return refused(`proof ${at + 1} is malformed`);
    const path = proof.auditPath.map((hash) => Buffer.from(hash, 'base64'));
    if (!verifyInclusion({ leaf: leafHash(Buffer.from(proof.record)), index: proof.index, size, path, root }))
      return refused(`proof ${at + 1} does not hold: record ${proof.index + 1} is not in the log that the checkpoint swears to`);
  }
  return parsed(lines.length);
}
