import { Command } from 'commander';
import { orderCommands } from './rollout/order.ts';
import { planCommand } from './rollout/plan.ts';
import { historyCommand, statusCommand } from './rollout/status.ts';
import { waitCommand } from './rollout/wait.ts';

/** `gatehouse rollout`: zero trust, namespace by namespace. */
export function rolloutCommand(): Command {
  const command = new Command('rollout').description(
    'zero trust, one namespace at a time: observe, mTLS strict, dry-run, enforce; each step on evidence',
  );
  for (const one of [planCommand(), statusCommand(), ...orderCommands(), historyCommand(), waitCommand()])
    command.addCommand(one);
  return command;
}
