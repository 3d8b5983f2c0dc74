import { Command } from 'commander';
import { bundleCommand } from './audit/bundle.ts';
import { certificatesCommand } from './audit/certificates.ts';
import { compareCommand } from './audit/compare.ts';
import { edgesCommand } from './audit/edges.ts';
import { reportCommand } from './audit/report.ts';
import { verifyCommand } from './audit/verify.ts';
import { whoCommand } from './audit/who.ts';

/** `gatehouse audit`: reads the audit store beside a running control plane. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('who talked to whom')
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse audit report --since 1h\n  gatehouse audit who shop/users shop/fraud -f mesh/\n  gatehouse audit compare --after 1d',
    )
    .addCommand(reportCommand())
    .addCommand(edgesCommand())
    .addCommand(compareCommand())
    .addCommand(whoCommand())
    .addCommand(certificatesCommand())
    .addCommand(bundleCommand())
    .addCommand(verifyCommand());
}
