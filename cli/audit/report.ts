import { Command } from 'commander';
import { isFormat, print } from '../../audit/document/print.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { type AuditFlags, authorOf, dbOption, load, outputOption, preparedByOption, withFilters, withPeriod } from './options.ts';
import { writeAll } from './write.ts';

export function reportCommand(): Command {
  return withFilters(withPeriod(new Command('report').addOption(dbOption())))
    .description('who talked to whom, and what was denied')
    .addOption(outputOption())
    .addOption(preparedByOption())
    .addHelpText(
      'after',
      `
Examples:
  gatehouse audit report --since 1h
  gatehouse audit report --db /var/lib/gatehouse/audit.db -o json
  gatehouse audit report --namespace shop --verdict denied
  gatehouse audit report --since 2026-01-01 --until 2026-02-01 -o html > january.html`,
    )
    .action(async (flags: AuditFlags & { readonly output: string }) => {
      const report = await load(flags, new Date());
      if (report === undefined || !isFormat(flags.output)) return;
      await writeAll(print(printableReport(report, authorOf(flags, flags)), flags.output), process.stdout);
    });
}
