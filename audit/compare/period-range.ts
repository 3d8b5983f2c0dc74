import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { parseInstant } from '../report/instant.ts';

/** A period with both its ends, ms since the epoch. */
export interface Range {
  readonly since: number;
  readonly until: number;
}

/** `7d..1d`, `2026-01-01..2026-02-01`, or `1d`, which lasts until now. */
export function parseRange(text: string, now: Date): Parsed<Range> {
  const [from = '', to, more] = text.split('..');
  if (more !== undefined) return refused(`\`${text}\` has more than two ends; write FROM..UNTIL, such as 7d..1d`);
  const since = parseInstant(from, now);
  if (!since.ok) return since;
  const until = to === undefined || to === '' || to === 'now' ? parsed(now.getTime()) : parseInstant(to, now);
  if (!until.ok) return until;
  if (since.value >= until.value) return refused(`\`${text}\` ends before it begins`);
  return parsed({ since: since.value, until: until.value });
}

/** As long as another, right before it. */
export function rangeBefore({ since, until }: Range): Range {
  return { since: since - (until - since), until: since };
}
