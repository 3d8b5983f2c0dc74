import { Command } from 'commander';
import { secretsCommand } from './proxy/secrets.ts';
import { statusCommand } from './proxy/status.ts';

/** `gatehouse proxy`: what proxies have. */
export function proxyCommand(): Command {
  return new Command('proxy')
    .description('what each proxy has: its configuration and its certificates')
    .addHelpText('after', '\nExamples:\n  gatehouse proxy status\n  gatehouse proxy secrets --run-dir /run/gatehouse')
    .addCommand(statusCommand())
    .addCommand(secretsCommand());
}
