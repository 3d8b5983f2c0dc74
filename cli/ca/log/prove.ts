import { Command, Option } from 'commander';
import { prove } from '../../../ca/log/prove.ts';
import { caDir, fail, print, reported } from '../folder-command.ts';
import { logOf, witnessesIn } from './log-files.ts';

interface ProveFlags {
  readonly caDir: string;
  readonly output: 'json';
  readonly serial?: string;
  readonly since?: string;
}

export function proveCommand(): Command {
  return new Command('prove')
    .description('proofs (RFC 6962) that a certificate is in the log, or that the log extends an older checkpoint')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['json']).default('json'))
    .option('--serial <hex>', 'the certificate whose records are to be proven')
    .option('--since <file>', 'an older checkpoint that the log must extend')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log prove --ca-dir .gatehouse/ca --serial 4f3d5a
  gatehouse ca log prove --ca-dir .gatehouse/ca --since last-month.checkpoint

Each proof is verified before it is printed. Exit 1 when there is none.`,
    )
    .action(async (flags: ProveFlags) => {
      if (flags.serial === undefined && flags.since === undefined)
        return fail(2, 'give --serial or --since: what is to be proven');
      if (flags.serial !== undefined && !/^[0-9a-fA-F]{1,40}$/.test(flags.serial))
        return fail(2, '--serial must be a hexadecimal number');
      await reported(async () => {
        const { files, verifier } = await logOf(flags.caDir);
        const [older] = await witnessesIn(flags.since === undefined ? [] : [flags.since]);
        const proof = await prove(files, verifier, { serial: flags.serial?.toLowerCase(), older });
        if (proof.ok) print(proof.value);
        else fail(1, proof.reason);
      });
    });
}
