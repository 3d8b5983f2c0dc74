import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LogRecord } from './record.ts';

/** What became of a certificate: `open` has an intent only, so it may or may not have been released before a crash. */
export interface LoggedIssuance {
  readonly kind: 'issuance';
  readonly outcome: 'issued' | 'withheld' | 'open';
  readonly time: string;
  readonly serial: string;
  readonly names: string;
  readonly evidence: { readonly kind: string; readonly subject: string };
  readonly key: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly sha256?: string;
}

export type LoggedRefusal = Extract<LogRecord, { kind: 'refused' }>;

export interface ReadLog {
  readonly issuances: readonly LoggedIssuance[];
  readonly refusals: readonly LoggedRefusal[];
  /** Lines that are no records: a torn end that the next start sets aside, or damage. */
  readonly unreadable: number;
}

const FIELDS: Readonly<Record<LogRecord['kind'], readonly string[]>> = Object.freeze({
  opened: ['issuer'],
  intent: ['serial', 'names', 'key', 'notBefore', 'notAfter'],
  issued: ['serial', 'sha256'],
  withheld: ['serial', 'reason'],
  refused: ['code', 'reason'],
});

function isRecord(value: unknown): value is LogRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const kind = fields.get('kind');
  const wanted = Object.entries(FIELDS).find(([name]) => name === kind)?.[1];
  if (wanted === undefined) return false;
  if (kind === 'intent' && typeof fields.get('evidence') !== 'object') return false;
  return ['time', ...wanted].every((name) => typeof fields.get(name) === 'string');
}

function parse(line: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Reads an issuance log, also one that is being written. Rejects when the file cannot be read. */
export async function readIssuanceLog(path: string): Promise<ReadLog> {
  const issuances = new Map<string, LoggedIssuance>();
  const refusals: LoggedRefusal[] = [];
  let unreadable = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const record = parse(line);
    if (record === undefined) unreadable++;
    else if (record.kind === 'refused') refusals.push(record);
    else if (record.kind !== 'opened') settle(issuances, record);
  }
  return { issuances: [...issuances.values()], refusals, unreadable };
}

function settle(issuances: Map<string, LoggedIssuance>, record: Exclude<LogRecord, { kind: 'refused' | 'opened' }>): void {
  if (record.kind === 'intent') {
    issuances.set(record.serial, { ...record, kind: 'issuance', outcome: 'open' });
    return;
  }
  const known = issuances.get(record.serial);
  if (known === undefined) return;
  issuances.set(record.serial, {
    ...known,
    outcome: record.kind,
    ...(record.kind === 'issued' && { sha256: record.sha256 }),
  });
}
