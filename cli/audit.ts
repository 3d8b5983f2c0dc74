import { Command, Option } from 'commander';
import { EDGE_VERDICTS } from '../audit/report/filter.ts';
import { jsonEdges, jsonLines } from '../audit/report/json.ts';
import { parseQuestion, type QuestionText } from '../audit/report/question.ts';
import { isReportFormat, RENDERERS } from '../audit/report/render.ts';
import { type Report, reportOf } from '../audit/report/report.ts';
import { sqliteFileReader } from '../audit/store/sqlite-read.ts';

interface AuditFlags extends QuestionText {
  readonly db: string;
}

function fail(code: 1 | 2, message: string): undefined {
  process.stderr.write(`gatehouse audit: ${message}\n`);
  process.exitCode = code;
  return undefined;
}

async function load(flags: AuditFlags): Promise<Report | undefined> {
  const now = new Date();
  const question = parseQuestion(flags, now);
  if (!question.ok) return fail(2, `--${question.reason}`);
  try {
    return reportOf(await sqliteFileReader(flags.db).query(question.value.period), { ...question.value, now });
  } catch (error) {
    return fail(1, `${error instanceof Error ? error.message : String(error)} (name the control plane's audit file with --db)`);
  }
}

function withFilters(command: Command): Command {
  return command
    .addOption(
      new Option('--db <file>', "the control plane's audit store").env('GATEHOUSE_AUDIT_DB').default('.gatehouse/audit.db'),
    )
    .option('--namespace <name>', 'calls from or to this namespace')
    .option('--workload <[namespace/]name>', 'calls from or to this workload')
    .option('--identity <spiffe-id>', 'calls from or to this identity, with or without spiffe://')
    .option('--since <age|time>', 'calls after this: 15m, 1h, 7d, or ISO 8601')
    .option('--until <age|time>', 'calls before this')
    .addOption(new Option('--verdict <verdict>', 'only these calls').choices(EDGE_VERDICTS));
}

function reportCommand(): Command {
  return withFilters(new Command('report'))
    .description('who talked to whom, and what was denied')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(Object.keys(RENDERERS)).default('table'))
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
      const report = await load(flags);
      if (report && isReportFormat(flags.output)) process.stdout.write(RENDERERS[flags.output](report));
    });
}

function edgesCommand(): Command {
  return withFilters(new Command('edges'))
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
      const report = await load(flags);
      if (report) process.stdout.write(flags.output === 'json' ? jsonEdges(report) : jsonLines(report));
    });
}

/** `gatehouse audit`: reads the audit store beside a running control plane. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('who talked to whom')
    .addHelpText('after', '\nExamples:\n  gatehouse audit report --since 1h\n  gatehouse audit edges --verdict denied')
    .addCommand(reportCommand())
    .addCommand(edgesCommand());
}
