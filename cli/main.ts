import { Command } from 'commander';

const program = new Command('gatehouse')
  .description('identity, mTLS, authorization and routing for service meshes of stock Envoy')
  .showHelpAfterError('(add --help for the options and examples)');

await program.parseAsync();
