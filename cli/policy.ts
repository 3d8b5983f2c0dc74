import { Command } from 'commander';
import { checkCommand } from './policy/check.ts';
import { dryRunCommand } from './policy/dry-run.ts';
import { diffCommand } from './policy/diff.ts';
import { preflightCommand } from './policy/preflight.ts';
import { explainCommand } from './policy/explain.ts';
import { suggestCommand } from './policy/suggest.ts';
import { replayCommand } from './policy/replay.ts';
import { unusedCommand } from './policy/unused.ts';
import { testCommand } from './policy/test.ts';
import { whoCanCommand } from './policy/who-can.ts';

/** `gatehouse policy`: questions about who may call what. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('who may call what, and why')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse policy check -f mesh/ --requests requests.yaml -o json
  gatehouse policy explain -f mesh/ --from shop/website --to shop/users --path /users/7
  gatehouse policy test -f mesh/
  gatehouse policy who-can -f mesh/ --to shop/users
  gatehouse policy diff --before mesh/ --after proposed/
  gatehouse policy replay --before mesh/ --after proposed/
  gatehouse policy suggest -f mesh/ --namespace shop --since 30d`,
    )
    .addCommand(checkCommand())
    .addCommand(explainCommand())
    .addCommand(testCommand())
    .addCommand(whoCanCommand())
    .addCommand(diffCommand())
    .addCommand(replayCommand())
    .addCommand(unusedCommand())
    .addCommand(preflightCommand())
    .addCommand(dryRunCommand())
    .addCommand(suggestCommand());
}
