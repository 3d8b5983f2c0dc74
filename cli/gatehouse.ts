import { Command } from 'commander';
import { auditCommand } from './audit.ts';
import { serveCommand } from './serve.ts';
import { tourCommand } from './tour.ts';

/** The `gatehouse` command with all its subcommands; wrong usage is thrown as CommanderError, so that main.ts decides the exit code. */
export function gatehouse(): Command {
  const program = new Command('gatehouse')
    .description('identity, mTLS, authorization and routing for service meshes of stock Envoy')
    .showHelpAfterError('(add --help for the options and examples)');
  for (const command of [serveCommand(), auditCommand(), tourCommand()]) program.addCommand(command);
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}
