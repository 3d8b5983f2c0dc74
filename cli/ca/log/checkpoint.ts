import { Command, Option } from 'commander';
import { lastCheckpoint } from '../../../ca/log/checkpoint-file.ts';
import { verifierKey } from '../../../ca/log/note.ts';
import { caDir, fail, print, reported } from '../folder-command.ts';
import { logOf } from './log-files.ts';

interface CheckpointFlags {
  readonly caDir: string;
  readonly output: 'note' | 'json';
}

export function checkpointCommand(): Command {
  return new Command('checkpoint')
    .description('the newest signed checkpoint, to be kept elsewhere (a signed note, as C2SP tlog-checkpoint)')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'the note itself, or with its key').choices(['note', 'json']).default('note'))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log checkpoint --ca-dir .gatehouse/ca > 2026-11.checkpoint
  gatehouse ca log checkpoint --ca-dir .gatehouse/ca -o json | jq -r .verifierKey`,
    )
    .action((flags: CheckpointFlags) =>
      reported(async () => {
        const { files, verifier } = await logOf(flags.caDir);
        const last = await lastCheckpoint(files.checkpoints, verifier);
        if (last === undefined)
          return fail(1, 'there is no checkpoint yet; a running authority writes the first one within seconds');
        if (!last.opened.ok) return fail(1, `the newest checkpoint does not count: ${last.opened.reason}`);
        const { size, root } = last.opened.value;
        if (flags.output === 'note') process.stdout.write(last.note);
        else print({ verifierKey: verifierKey(verifier), size, rootHash: root.toString('base64'), checkpoint: last.note });
      }),
    );
}
