import { Command } from 'commander';
import { checkCommand } from './policy/check.ts';
import { explainCommand } from './policy/explain.ts';
import { testCommand } from './policy/test.ts';
import { whoCanCommand } from './policy/who-can.ts';

/** `gatehouse policy`: questions about who may call what. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('who may call what, and why')
    .addHelpText('after', '\nExamples:\n  gatehouse policy check -f mesh/ --requests requests.yaml -o json')
    .addCommand(checkCommand())
    .addCommand(explainCommand())
    .addCommand(testCommand())
    .addCommand(whoCanCommand());
}
