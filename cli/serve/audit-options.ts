import { type StoreLocation, parseStoreLocation } from '../../audit/store/location.ts';
import { DEFAULT_KEEPING, type Keeping } from '../../audit/store/upkeep.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { parseDuration } from '../../mesh/admit/duration.ts';
import { type AuditSubject, parseAuditSubject } from './audit-subject.ts';

export interface AuditFlags {
  readonly auditDb: string;
  readonly auditDbPasswordFile?: string;
  readonly auditMinutes?: string;
  readonly auditHours?: string;
  readonly auditRetention?: string;
  readonly auditSubject?: string;
  readonly auditSubjectKey?: string;
}

export interface AuditOptions {
  readonly auditStore: StoreLocation;
  readonly auditKeeping: Keeping;
  readonly auditSubject: AuditSubject;
}

const LEAST_MS = 3_600_000;

function kept(flag: string, text: string | undefined, otherwise: number): Parsed<number> {
  const ms = text === undefined ? otherwise : (parseDuration(text) ?? 0);
  return ms >= LEAST_MS
    ? { ok: true, value: ms }
    : { ok: false, reason: `${flag}: ${String(text)} is not 1h or more (write hours, such as 2160h for 90 days)` };
}

/** Where the audit store is and how long it keeps what. */
export function parseAuditFlags(flags: AuditFlags): Parsed<AuditOptions> {
  const location = parseStoreLocation(flags.auditDb, flags.auditDbPasswordFile);
  if (!location.ok) return { ok: false, reason: `--audit-db: ${location.reason}` };
  const minutes = kept('--audit-minutes', flags.auditMinutes, DEFAULT_KEEPING.minutesMs);
  if (!minutes.ok) return minutes;
  const hours = kept('--audit-hours', flags.auditHours, DEFAULT_KEEPING.hoursMs);
  if (!hours.ok) return hours;
  const days = kept('--audit-retention', flags.auditRetention, DEFAULT_KEEPING.daysMs ?? 0);
  if (!days.ok) return days;
  const subject = parseAuditSubject(flags.auditSubject, flags.auditSubjectKey);
  if (!subject.ok) return subject;
  return {
    ok: true,
    value: {
      auditStore: location.value,
      auditKeeping: { minutesMs: minutes.value, hoursMs: hours.value, daysMs: days.value },
      auditSubject: subject.value,
    },
  };
}
