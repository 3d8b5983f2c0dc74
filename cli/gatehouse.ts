import { Command } from 'commander';
import { agentCommand } from './agent.ts';
import { applyCommand } from './apply.ts';
import { auditCommand } from './audit.ts';
import { caCommand } from './ca.ts';
import { compileCommand } from './compile.ts';
import { createCommand } from './create.ts';
import { deleteCommand } from './delete.ts';
import { getCommand } from './get.ts';
import { policyCommand } from './policy.ts';
import { replaceCommand } from './replace.ts';
import { serveCommand } from './serve.ts';
import { tourCommand } from './tour.ts';
import { upCommand } from './up.ts';
import { validateCommand } from './validate.ts';

/** The `gatehouse` command with all its subcommands; wrong usage is thrown as CommanderError, so that main.ts decides the exit code. */
export function gatehouse(): Command {
  const program = new Command('gatehouse')
    .description('identity, mTLS, authorization and routing for service meshes of stock Envoy')
    .showHelpAfterError('(add --help for the options and examples)');
  for (const command of [
    serveCommand(),
    agentCommand(),
    upCommand(),
    tourCommand(),
    applyCommand(),
    createCommand(),
    replaceCommand(),
    deleteCommand(),
    getCommand(),
    validateCommand(),
    compileCommand(),
    policyCommand(),
    caCommand(),
    auditCommand(),
  ])
    program.addCommand(command);
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}
