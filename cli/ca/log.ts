import { Command } from 'commander';
import { checkpointCommand } from './log/checkpoint.ts';
import { proveCommand } from './log/prove.ts';
import { showCommand } from './log/show.ts';
import { verifyCommand } from './log/verify.ts';

/** `gatehouse ca log`; alone it shows the log. */
export function logCommand(): Command {
  return new Command('log')
    .description('the issuance log: what the authority issued and refused, and the proof that nobody changed it')
    .addCommand(showCommand(), { isDefault: true })
    .addCommand(verifyCommand())
    .addCommand(proveCommand())
    .addCommand(checkpointCommand());
}
