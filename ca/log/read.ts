import { linesOf } from './lines.ts';
import type { LogRecord } from './record.ts';

/** What became of a certificate: `open` has an intent only, so it may or may not have been released before a crash. */
export interface LoggedIssuance {
  readonly kind: 'issuance';
  readonly outcome: 'issued' | 'withheld' | 'open';
  /** The line of its intent, counted from 1. */
  readonly record: number;
  readonly time: string;
  readonly serial: string;
  readonly names: string;
  readonly dnsNames?: readonly string[];
  readonly evidence: { readonly kind: string; readonly subject: string; readonly serial?: string };
  readonly key: string;
  readonly issuer?: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly sha256?: string;
}

export type LoggedRefusal = Extract<LogRecord, { kind: 'refused' }>;

/** A line that is no record: a torn end that the next start sets aside, or damage. Counted from 1. */
export interface UnreadableLine {
  readonly kind: 'unreadable';
  readonly line: number;
}

export interface LogQuestion {
  /** As in the record: `URI:spiffe://…`. */
  readonly names?: string | undefined;
  readonly serial?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

const FIELDS: Readonly<Record<LogRecord['kind'], readonly string[]>> = Object.freeze({
  opened: ['issuer'],
  intent: ['serial', 'names', 'key', 'notBefore', 'notAfter'],
  issued: ['serial', 'sha256'],
  withheld: ['serial', 'reason'],
  jwt: ['identity', 'kid', 'expiresAt'],
  refused: ['code', 'reason'],
});

function isRecord(value: unknown): value is LogRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const kind = fields.get('kind');
  const wanted = Object.entries(FIELDS).find(([name]) => name === kind)?.[1];
  if (wanted === undefined) return false;
  if (kind === 'intent' && typeof fields.get('evidence') !== 'object') return false;
  const dnsNames = fields.get('dnsNames') ?? [];
  if (!Array.isArray(dnsNames) || dnsNames.some((name) => typeof name !== 'string')) return false;
  return ['time', ...wanted].every((name) => typeof fields.get(name) === 'string');
}

export function parseRecord(line: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// Certificates between intent and result, and those that never got one: more than this at once is no log of ours.
const MOST_OPEN = 100_000;

/**
 * Reads an issuance log, also one that is being written, in memory that does not grow with it: each certificate once its result is
 * there, those without one at the end. Rejects when the file cannot be read.
 */
export async function* readLog(
  path: string,
  question: LogQuestion = {},
): AsyncGenerator<LoggedIssuance | LoggedRefusal | UnreadableLine> {
  const open = new Map<string, LoggedIssuance>();
  const [since, until] = [question.since?.toISOString() ?? '', question.until?.toISOString() ?? '\uffff'];
  const meant = (record: Extract<LogRecord, { kind: 'intent' }>) =>
    (question.names === undefined || record.names === question.names) &&
    (question.serial === undefined || record.serial === question.serial) &&
    record.time >= since &&
    record.time < until;
  let line = 0;
  for await (const { lines } of linesOf(path))
    for (const bytes of lines) {
      line++;
      const record = parseRecord(bytes.toString('utf8'));
      if (record === undefined) yield { kind: 'unreadable', line };
      else if (record.kind === 'intent') {
        if (meant(record) && open.size < MOST_OPEN)
          open.set(record.serial, { ...record, kind: 'issuance', outcome: 'open', record: line });
      } else if (record.kind === 'refused') {
        if (record.time >= since && record.time < until) yield record;
      } else if (record.kind !== 'opened' && record.kind !== 'jwt') {
        const known = open.get(record.serial);
        if (known === undefined) continue;
        open.delete(record.serial);
        yield { ...known, outcome: record.kind, ...(record.kind === 'issued' && { sha256: record.sha256 }) };
      }
    }
  yield* open.values();
}

export interface ReadLog {
  readonly issuances: readonly LoggedIssuance[];
  readonly refusals: readonly LoggedRefusal[];
  readonly unreadable: number;
}

/** A whole log at once, in the order of the intents: for small ones. */
export async function readIssuanceLog(path: string, question: LogQuestion = {}): Promise<ReadLog> {
  const issuances: LoggedIssuance[] = [];
  const refusals: LoggedRefusal[] = [];
  let unreadable = 0;
  for await (const found of readLog(path, question)) {
    if (found.kind === 'issuance') issuances.push(found);
    else if (found.kind === 'refused') refusals.push(found);
    else unreadable++;
  }
  return { issuances: issuances.toSorted((a, b) => a.record - b.record), refusals, unreadable };
}
