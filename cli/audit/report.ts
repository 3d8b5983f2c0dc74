import { Command } from 'commander';
import { isFormat, print } from '../../audit/document/print.ts';
import { usageAddition } from '../../audit/grants/printable.ts';
import { usage } from '../../audit/grants/usage.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { type MeshFlags, meshFor } from './mesh.ts';
import {
  type AuditFlags,
  authorOf,
  dbOption,
  fail,
  load,
  outputOption,
  preparedByOption,
  withFilters,
  withPeriod,
} from './options.ts';
import { writeAll } from './write.ts';

export function reportCommand(): Command {
  return withFilters(withPeriod(new Command('report').addOption(dbOption())))
    .description('who talked to whom, and what was denied')
    .addOption(filenameOption())
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .option('--with-policy', 'join with the policies of -f: granted but unused, used but not granted (also without this flag)')
    .addOption(outputOption())
    .addOption(preparedByOption())
    .addHelpText(
      'after',
      `
Examples:
  gatehouse audit report --since 1h
  gatehouse audit report --db /var/lib/gatehouse/audit.db -o json
  gatehouse audit report --namespace shop --verdict denied
  gatehouse audit report --since 2026-01-01 --until 2026-02-01 -o html > january.html
  gatehouse audit report --since 30d --with-policy -f mesh/`,
    )
    .action(async (flags: AuditFlags & MeshFlags & { readonly withPolicy?: true; readonly output: string }) => {
      if (flags.withPolicy && flags.filename === undefined) return fail(2, '--with-policy needs the policies: give them with -f');
      const mesh = meshFor(flags);
      if (mesh === undefined) return;
      const report = await load(flags, new Date(), { latencies: flags.output !== 'table' });
      if (report === undefined || !isFormat(flags.output)) return;
      const more = mesh === 'none' ? undefined : usageAddition(usage(report, mesh));
      await writeAll(print(printableReport(report, authorOf(flags, flags), more), flags.output), process.stdout);
    });
}
