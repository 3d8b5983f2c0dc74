import { Command } from 'commander';
import { configCommand } from './proxy/config.ts';
import { drainCommand, waitCommand } from './proxy/hooks.ts';
import { scopeCommand } from './proxy/scope.ts';
import { secretsCommand } from './proxy/secrets.ts';
import { statusCommand } from './proxy/status.ts';

/** `gatehouse proxy`: what proxies have. */
export function proxyCommand(): Command {
  return new Command('proxy')
    .description('what each proxy has: its configuration and its certificates')
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse proxy status\n  gatehouse proxy config shop/web-5d9f routes\n  gatehouse proxy scope shop/web-5d9f\n  gatehouse proxy secrets --run-dir /run/gatehouse',
    )
    .addCommand(statusCommand())
    .addCommand(configCommand())
    .addCommand(scopeCommand())
    .addCommand(secretsCommand())
    .addCommand(drainCommand())
    .addCommand(waitCommand());
}
