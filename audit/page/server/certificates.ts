import { stat } from 'node:fs/promises';
import { linesOf } from '../../../ca/log/lines.ts';
import { parseRecord } from '../../../ca/log/read.ts';
import type { LogRecord } from '../../../ca/log/record.ts';
import type { CertificateSummary } from '../api/details.ts';

/** The latest certificates that were issued, by identity. */
export interface Certificates {
  /** Undefined where there is no issuance log to read. */
  latest(): Promise<ReadonlyMap<string, CertificateSummary> | undefined>;
}

/** More identities than this are not kept: the oldest go. */
const MOST_IDENTITIES = 50_000;
const MOST_OPEN = 10_000;

type Intent = Extract<LogRecord, { kind: 'intent' }>;

function evidenceText(evidence: object): string {
  const fields = new Map<string, unknown>(Object.entries(evidence));
  const text = (name: string): string => {
    const value = fields.get(name);
    return typeof value === 'string' ? value : '';
  };
  const serial = text('serial');
  return [text('kind'), text('subject'), serial === '' ? '' : `serial ${serial}`].filter((part) => part !== '').join(': ');
}

function summary(identity: string, { time, serial, key, notBefore, notAfter, evidence }: Intent): CertificateSummary {
  return { identity, serial, issuedAt: time, notBefore, notAfter, key, evidence: evidenceText(evidence) };
}

/** Follows an issuance log: what was read is not read again. */
export function certificatesInLog(path: string): Certificates {
  const latest = new Map<string, CertificateSummary>();
  const open = new Map<string, Intent>();
  let end = 0;
  let reading: Promise<void> | undefined;

  const take = (record: LogRecord): void => {
    if (record.kind === 'intent') {
      if (open.size < MOST_OPEN) open.set(record.serial, record);
      return;
    }
    if (record.kind !== 'issued' && record.kind !== 'withheld') return;
    const intent = open.get(record.serial);
    open.delete(record.serial);
    const identity = intent?.names.replace(/^URI:/, '');
    if (record.kind !== 'issued' || intent === undefined || !identity?.startsWith('spiffe://')) return;
    latest.delete(identity);
    latest.set(identity, summary(identity, intent));
    if (latest.size > MOST_IDENTITIES) for (const first of latest.keys()) return void latest.delete(first);
  };

  const follow = async (): Promise<void> => {
    const { size } = await stat(path);
    if (size < end) {
      latest.clear();
      open.clear();
      end = 0;
    }
    if (size === end) return;
    for await (const chunk of linesOf(path, end)) {
      for (const line of chunk.lines) {
        const record = parseRecord(line.toString('utf8'));
        if (record !== undefined) take(record);
      }
      end = chunk.end;
    }
  };

  return {
    async latest() {
      reading ??= follow().finally(() => (reading = undefined));
      try {
        await reading;
      } catch {
        return undefined;
      }
      return latest;
    },
  };
}
