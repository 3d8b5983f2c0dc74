import type { Field } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

const MOST_OWNER = 200;
const MOST_REASON = 1000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** RFC 3339, section 5.6, in upper case. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const DAY_MS = 24 * 3_600_000;

/** Who answers for something, why, and until when. */
export function answered(fields: Readonly<Record<'owner' | 'reason' | 'until', Field>>): {
  readonly owner: string;
  readonly reason: string;
  readonly until: number;
} {
  return {
    owner: bounded(fields.owner, MOST_OWNER, 'as owner: team-payments@example.com, who is asked once it ends'),
    reason: bounded(fields.reason, MOST_REASON, 'as reason: the old importer gets its sidecar in January'),
    until: until(fields.until),
  };
}

function bounded(field: Field, most: number, hint: string): string {
  const value = requiredText(field, hint);
  if (value.length > most) field.error('out-of-range', `is longer than ${most} characters`, 'say it in fewer words');
  else if (value !== '' && value.trim() === '') field.error('missing-field', 'must be set and not empty', hint);
  return value;
}

/** A day, which is part of it, or a moment. */
function until(field: Field): number {
  const written = requiredText(field, 'nothing is accepted for ever: as until: 2027-01-31');
  if (written === '') return 0;
  const at = momentOf(written);
  if (at === undefined) {
    field.error(
      'bad-date',
      `"${shorten(written)}" is no date`,
      'as 2027-01-31 (to the end of that day, UTC) or 2027-01-31T18:00:00Z',
    );
    return 0;
  }
  return at;
}

function momentOf(written: string): number | undefined {
  const day = written.slice(0, 10);
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // A day that is not there, such as February 30, must not become another one.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined;
  if (DATE.test(written)) return midnight + DAY_MS;
  const at = DATE_TIME.test(written) ? Date.parse(written) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
