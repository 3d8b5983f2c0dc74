import { stat } from 'node:fs/promises';
import { linesOf } from '../../../ca/log/lines.ts';
import { parseRecord } from '../../../ca/log/read.ts';
import type { LogRecord } from '../../../ca/log/record.ts';
import { identityOf } from '../../certificates/inventory.ts';
import { serialOf } from '../../model/certificate-use.ts';
import type { CertificateSummary } from '../api/details.ts';

/** The latest certificates that were issued, by identity. */
export interface Certificates {
  /** Undefined where there is no issuance log to read. */
  latest(): Promise<ReadonlyMap<string, CertificateSummary> | undefined>;
  /** Of these the ones that are known, by `certificateKey`. */
  named(names: readonly CertificateName[]): Promise<ReadonlyMap<string, CertificateSummary>>;
}

export interface CertificateName {
  /** With its scheme. */
  readonly identity: string;
  /** As `serialOf` writes it. */
  readonly serial: string;
}

/** What a serial number is of: only together with an identity, as another authority may use the same number. */
export function certificateKey({ identity, serial }: CertificateName): string {
  return `${identity} ${serial}`;
}

/** More identities than this are not kept: the oldest go. */
const MOST_IDENTITIES = 50_000;
/** So many certificates of each log are known by their serial numbers: those that were issued last. */
const MOST_NAMED = 50_000;
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

interface FollowedLog {
  /** Grows by one with each certificate that was read. */
  readonly read: number;
  readonly latest: ReadonlyMap<string, CertificateSummary>;
  /** By serial number. One that was begun counts: it may have been released before a crash. */
  readonly bySerial: ReadonlyMap<string, CertificateSummary>;
  follow(): Promise<void>;
}

/** Follows an issuance log: what was read is not read again. */
function followedLog(path: string): FollowedLog {
  const latest = new Map<string, CertificateSummary>();
  const bySerial = new Map<string, CertificateSummary>();
  const open = new Map<string, Intent>();
  let end = 0;
  let read = 0;

  const name = (intent: Intent): void => {
    const [identity, serial] = [identityOf(intent), serialOf(intent.serial)];
    if (serial === undefined || identity === '') return;
    bySerial.set(serial, summary(identity, intent));
    if (bySerial.size > MOST_NAMED) for (const first of bySerial.keys()) return void bySerial.delete(first);
  };
  const take = (record: LogRecord): void => {
    if (record.kind === 'intent') {
      if (open.size < MOST_OPEN) open.set(record.serial, record);
      name(record);
      return;
    }
    if (record.kind !== 'issued' && record.kind !== 'withheld') return;
    if (record.kind === 'withheld') bySerial.delete(serialOf(record.serial) ?? '');
    const intent = open.get(record.serial);
    open.delete(record.serial);
    const identity = intent?.names.replace(/^URI:/, '');
    if (record.kind !== 'issued' || intent === undefined || !identity?.startsWith('spiffe://')) return;
    latest.delete(identity);
    latest.set(identity, summary(identity, intent));
    read++;
    if (latest.size > MOST_IDENTITIES) for (const first of latest.keys()) return void latest.delete(first);
  };

  return {
    latest,
    bySerial,
    get read() {
      return read;
    },
    async follow() {
      const { size } = await stat(path);
      if (size < end) {
        latest.clear();
        bySerial.clear();
        open.clear();
        end = 0;
        read++;
      }
      if (size === end) return;
      for await (const chunk of linesOf(path, end)) {
        for (const line of chunk.lines) {
          const record = parseRecord(line.toString('utf8'));
          if (record !== undefined) take(record);
        }
        end = chunk.end;
      }
    },
  };
}

/** Of each identity the one that was issued last, whichever replica did. */
function newest(logs: readonly FollowedLog[]): ReadonlyMap<string, CertificateSummary> {
  const [first, ...others] = logs;
  if (first === undefined || others.length === 0) return first?.latest ?? new Map();
  const all = new Map(first.latest);
  for (const { latest } of others)
    for (const [identity, certificate] of latest) {
      const known = all.get(identity);
      if (known === undefined || known.issuedAt < certificate.issuedAt) all.set(identity, certificate);
    }
  return all;
}

/** @param paths the own issuance log first, which must be there, and the copies of other replicas' logs, which come and go */
export function certificatesInLogs(paths: () => Promise<readonly string[]>): Certificates {
  let followed = new Map<string, FollowedLog>();
  let known: { readonly at: string; readonly latest: ReadonlyMap<string, CertificateSummary> } | undefined;
  let reading: Promise<ReadonlyMap<string, CertificateSummary>> | undefined;

  const read = async (): Promise<ReadonlyMap<string, CertificateSummary>> => {
    const wanted = await paths();
    followed = new Map(wanted.map((path) => [path, followed.get(path) ?? followedLog(path)]));
    const [own, ...copies] = followed.values();
    await own?.follow();
    // A copy that goes while it is read takes nothing away from what is known of it.
    await Promise.allSettled(copies.map((copy) => copy.follow()));
    const at = [...followed].map(([path, { read: count }]) => `${path} ${count}`).join();
    if (known?.at !== at) known = { at, latest: newest([...followed.values()]) };
    return known.latest;
  };

  const latest: Certificates['latest'] = async () => {
    reading ??= read().finally(() => (reading = undefined));
    try {
      return await reading;
    } catch {
      return undefined;
    }
  };
  return {
    latest,
    async named(names) {
      const found = new Map<string, CertificateSummary>();
      if (names.length === 0 || (await latest()) === undefined) return found;
      for (const name of names)
        for (const { bySerial } of followed.values()) {
          const known = bySerial.get(name.serial);
          if (known?.identity === name.identity) found.set(certificateKey(name), known);
        }
      return found;
    },
  };
}
