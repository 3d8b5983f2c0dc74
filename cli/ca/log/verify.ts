import { Command, Option } from 'commander';
import { verifierKey } from '../../../ca/log/note.ts';
import { type Finding, verifyLog } from '../../../ca/log/verify-log.ts';
import { collect } from '../../options/collect.ts';
import { caDir, fail, print, reported } from '../folder-command.ts';
import { logOf, witnessesIn } from './log-files.ts';

interface VerifyFlags {
  readonly caDir: string;
  readonly output: 'text' | 'json';
  readonly key?: string;
  readonly checkpoint?: readonly string[];
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('check every record against every checkpoint; exit 1 and the place when something was changed')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .option('--key <verifier-key>', 'the key that checkpoints must have (default: the one in the folder)')
    .option('--checkpoint <file>', 'a checkpoint that was kept elsewhere; may be repeated', collect)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log verify --ca-dir .gatehouse/ca
  gatehouse ca log verify --ca-dir .gatehouse/ca --checkpoint last-month.checkpoint -o json

Whoever can write to the folder can write a new log with new checkpoints: keep checkpoints elsewhere (gatehouse ca log checkpoint;
the control plane's own log has each of them too) and give them here.`,
    )
    .action((flags: VerifyFlags) => reported(() => verify(flags)));
}

async function verify(flags: VerifyFlags): Promise<void> {
  const { files, verifier } = await logOf(flags.caDir, flags.key);
  const { findings, ...found } = await verifyLog(files, verifier, await witnessesIn(flags.checkpoint ?? []));
  const ok = findings.length === 0;
  if (flags.output === 'json')
    print({
      ok,
      verifierKey: verifierKey(verifier),
      ...found,
      findings: findings.map((finding) => ({ ...finding, text: textOf(finding) })),
    });
  else {
    process.stdout.write(
      `${found.records} records; ${found.sealed} of them are as ${found.checkpoints} checkpoints swear to; root ${found.root}\n`,
    );
    if (found.records > found.sealed && ok)
      process.stdout.write(`${found.records - found.sealed} newer than the newest checkpoint: the next one covers them\n`);
  }
  for (const finding of findings) fail(1, textOf(finding));
}

function textOf(finding: Finding): string {
  switch (finding.problem) {
    case 'tampering':
      return `${tampering(finding)} (${finding.checkpoint} swears to something else)`;
    case 'checkpoint':
      return `${finding.checkpoint}: this checkpoint does not count: ${finding.reason}`;
    case 'unreadable':
      return `record ${finding.record} is no record`;
    case 'no-checkpoint':
      return 'no checkpoint vouches for the records; a running authority writes the first one within seconds';
    default:
      return finding satisfies never;
  }
}

function tampering({ kind, first, last }: Extract<Finding, { problem: 'tampering' }>): string {
  const records = first === last ? `record ${first}` : `records ${first} to ${last}`;
  switch (kind) {
    case 'edited':
      return `${records} was edited`;
    case 'removed':
      return `${records} ${first === last ? 'was' : 'were'} removed`;
    case 'inserted':
      return `${records} ${first === last ? 'was' : 'were'} inserted`;
    case 'reordered':
      return `${records} are in another order`;
    case 'changed':
      return `something among ${records} was changed`;
    case 'truncated':
      return `${records} ${first === last ? 'is' : 'are'} missing: the log was cut off`;
    default:
      return kind satisfies never;
  }
}
