import { Command, Option } from 'commander';
import { CHANGES, type ChangeKind, compare, countOf } from '../../audit/compare/compare.ts';
import { parseRange, type Range, rangeBefore } from '../../audit/compare/period-range.ts';
import { printableComparison } from '../../audit/compare/printable.ts';
import { isFormat, print } from '../../audit/document/print.ts';
import { parseQuestion, type QuestionText } from '../../audit/report/question.ts';
import type { Report } from '../../audit/report/report.ts';
import { collect } from '../options/collect.ts';
import {
  type AuthorFlags,
  authorOf,
  dbOption,
  fail,
  outputOption,
  preparedByOption,
  reportFor,
  type StoreFlags,
  withFilters,
} from './options.ts';
import { writeAll } from './write.ts';

interface CompareFlags extends Omit<QuestionText, 'since' | 'until'>, StoreFlags, AuthorFlags {
  readonly before?: string;
  readonly after: string;
  readonly threshold: string;
  readonly leastCalls: string;
  readonly paths?: true;
  readonly failOn?: readonly string[];
  readonly output: string;
}

function failOnOf(given: readonly string[] = []): readonly ChangeKind[] | string {
  const names = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const unknown = names.find((name) => name !== 'any' && !CHANGES.some((kind) => kind === name));
  if (unknown !== undefined) return `--fail-on: \`${unknown}\` is none of any, ${CHANGES.join(', ')}`;
  return CHANGES.filter((kind) => names.includes(kind) || names.includes('any'));
}

async function run(flags: CompareFlags): Promise<void> {
  const now = new Date();
  const after = parseRange(flags.after, now);
  if (!after.ok) return fail(2, `--after: ${after.reason}`);
  const before = flags.before === undefined ? undefined : parseRange(flags.before, now);
  if (before?.ok === false) return fail(2, `--before: ${before.reason}`);
  const earlier = before?.value ?? rangeBefore(after.value);
  if (earlier.until > after.value.since) return fail(2, '--before must end before --after begins, or calls would be in both');
  const failOn = failOnOf(flags.failOn);
  if (typeof failOn === 'string') return fail(2, failOn);
  const [percent, leastCalls] = [Number(flags.threshold), Number(flags.leastCalls)];
  if (!(percent > 0)) return fail(2, '--threshold must be a positive number of percent');
  if (!Number.isInteger(leastCalls) || leastCalls < 0) return fail(2, '--least-calls must be a whole number');
  const asked = parseQuestion({ ...flags, since: undefined, until: undefined }, now);
  if (!asked.ok) return fail(2, `--${asked.reason}`);
  const of = async (period: Range): Promise<Report | undefined> => reportFor(flags, { ...asked.value, period }, now);
  const [was, is] = [await of(earlier), await of(after.value)];
  if (was === undefined || is === undefined || !isFormat(flags.output)) return;
  const comparison = compare([was, is], { detail: flags.paths ? 'path' : 'pair', threshold: percent / 100, leastCalls });
  await writeAll(print(printableComparison(comparison, authorOf(flags, flags)), flags.output), process.stdout);
  const found = failOn.filter((kind) => countOf(comparison, kind) > 0);
  if (found.length > 0)
    fail(1, `there are changes that --fail-on names: ${found.map((kind) => `${countOf(comparison, kind)} ${kind}`).join(', ')}`);
}

/** `gatehouse audit compare`: what differs between two periods. */
export function compareCommand(): Command {
  return withFilters(new Command('compare').addOption(dbOption()))
    .description('what differs between two periods: new and vanished edges, other decisions, encryption, volume')
    .option('--after <period>', 'the later period: FROM..UNTIL as for --since, or an age that lasts until now', '1d')
    .option('--before <period>', 'what it is compared with (default: as long, right before it)')
    .option('--threshold <percent>', 'how much more or fewer calls a second are a change', '50')
    .option('--least-calls <n>', 'a difference of fewer calls is no change', '10')
    .option('--paths', 'compare by method and path, too')
    .addOption(
      new Option('--fail-on <changes>', `exit 1 when there are such: any, ${CHANGES.join(', ')}; several with commas`).argParser(
        collect,
      ),
    )
    .addOption(outputOption())
    .addOption(preparedByOption())
    .addHelpText(
      'after',
      `
Exit status: 0 compared, 1 changes that --fail-on names, or no store, 2 wrong usage.

Examples:
  gatehouse audit compare --before 7d..1d --after 1d
  gatehouse audit compare --before 2026-10-01..2026-11-01 --after 2026-11-01..2026-12-01 -o html > november.html
  gatehouse audit compare --after 1h --namespace shop --fail-on new,encryption`,
    )
    .action(run);
}
