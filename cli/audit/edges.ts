import { Command, Option } from 'commander';
import { jsonArray } from '../../audit/document/json.ts';
import { jsonEdgesOf, jsonLines } from '../../audit/report/json.ts';
import { type AuditFlags, dbOption, load, withFilters, withPeriod } from './options.ts';
import { writeAll } from './write.ts';

export function edgesCommand(): Command {
  return withFilters(withPeriod(new Command('edges').addOption(dbOption())))
    .description('the edges of the report alone, for other programs')
    .addOption(
      new Option('-o, --output <format>', 'one JSON array, or one edge a line').choices(['json', 'jsonl']).default('jsonl'),
    )
    .addHelpText(
      'after',
      `
Examples:
  gatehouse audit edges --since 1d | jq -r '.source.principal' | sort -u
  gatehouse audit edges --verdict denied -o json`,
    )
    .action(async (flags: AuditFlags & { readonly output: string }) => {
      const report = await load(flags, new Date(), { latencies: true });
      if (report === undefined) return;
      await writeAll(flags.output === 'json' ? jsonArray(jsonEdgesOf(report)) : jsonLines(report), process.stdout);
    });
}
