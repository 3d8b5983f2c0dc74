import { Command } from 'commander';

/** Each subcommand and where it is. Loaded only when asked for: a certificate library is not needed to list policies. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = Object.freeze({
  serve: async () => (await import('./serve.ts')).serveCommand(),
  agent: async () => (await import('./agent.ts')).agentCommand(),
  'node-agent': async () => (await import('./node-agent.ts')).nodeAgentCommand(),
  up: async () => (await import('./up.ts')).upCommand(),
  tour: async () => (await import('./tour.ts')).tourCommand(),
  apply: async () => (await import('./apply.ts')).applyCommand(),
  create: async () => (await import('./create.ts')).createCommand(),
  replace: async () => (await import('./replace.ts')).replaceCommand(),
  delete: async () => (await import('./delete.ts')).deleteCommand(),
  get: async () => (await import('./get.ts')).getCommand(),
  validate: async () => (await import('./validate.ts')).validateCommand(),
  inject: async () => (await import('./inject.ts')).injectCommand(),
  capture: async () => (await import('./capture.ts')).captureCommand(),
  compile: async () => (await import('./compile.ts')).compileCommand(),
  policy: async () => (await import('./policy.ts')).policyCommand(),
  route: async () => (await import('./route.ts')).routeCommand(),
  proxy: async () => (await import('./proxy.ts')).proxyCommand(),
  debug: async () => (await import('./debug.ts')).debugCommand(),
  rollout: async () => (await import('./rollout.ts')).rolloutCommand(),
  ca: async () => (await import('./ca.ts')).caCommand(),
  install: async () => (await import('./install.ts')).installCommand(),
  uninstall: async () => (await import('./uninstall.ts')).uninstallCommand(),
  tag: async () => (await import('./tag.ts')).tagCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
});

/**
 * The `gatehouse` command with the subcommand that the first argument names, or with all of them when it names none. Wrong
 * usage is thrown as CommanderError, so that main.ts decides the exit code.
 */
export async function gatehouse(argument?: string): Promise<Command> {
  const program = new Command('gatehouse')
    .description('identity, mTLS, authorization and routing for service meshes of stock Envoy')
    .showHelpAfterError('(add --help for the options and examples)');
  const one = argument !== undefined && Object.hasOwn(COMMANDS, argument) ? COMMANDS[argument] : undefined;
  for (const load of one === undefined ? Object.values(COMMANDS) : [one]) program.addCommand(await load());
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}
