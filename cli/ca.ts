import { Command } from 'commander';

/** `gatehouse ca`: the authority's root and its issuance log. */
export function caCommand(): Command {
  return new Command('ca').description('the certificate authority: its root and what it issued');
}
