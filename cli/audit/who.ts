import { Command } from 'commander';
import { isFormat, print } from '../../audit/document/print.ts';
import { printableWho } from '../../audit/grants/printable.ts';
import { whoOf } from '../../audit/grants/who.ts';
import type { Destination } from '../../policy/access/world.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { destinationsNamed, type MeshFlags, meshFor } from './mesh.ts';
import { type AuditFlags, authorOf, dbOption, fail, load, outputOption, preparedByOption, withPeriod } from './options.ts';
import { writeAll } from './write.ts';

type WhoFlags = Pick<AuditFlags, 'db' | 'since' | 'until' | 'preparedBy'> & MeshFlags & { readonly output: string };

async function run(names: readonly string[], flags: WhoFlags): Promise<void> {
  const mesh = meshFor(flags);
  if (mesh === undefined) return;
  const known = mesh === 'none' ? undefined : mesh;
  const destinations = new Map<string, Destination>();
  for (const name of names) {
    const found = destinationsNamed(name, known);
    if (!found.ok) return fail(2, found.reason);
    for (const one of found.value) destinations.set(one.name, one);
  }
  const report = await load({ db: flags.db, since: flags.since, until: flags.until }, new Date());
  if (report === undefined || !isFormat(flags.output)) return;
  const asked = whoOf(report, [...destinations.values()], known);
  await writeAll(print(printableWho(asked, report, authorOf(flags, flags)), flags.output), process.stdout);
}

/** `gatehouse audit who`: who may and who did call. */
export function whoCommand(): Command {
  return withPeriod(new Command('who').addOption(dbOption()))
    .description('who may and who did call a workload')
    .argument('<[namespace/]name...>', 'workloads or Services that are called')
    .addOption(filenameOption())
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(outputOption())
    .addOption(preparedByOption())
    .addHelpText(
      'after',
      `
With -f the policies of a configuration say who may call; without it only who did is told. "Did call" of a grant counts the calls that
its rules let in; CSV holds who did call.

Examples:
  gatehouse audit who shop/users shop/fraud -f mesh/
  gatehouse audit who users --since 7d -f mesh/ -o html > users.html
  gatehouse audit who shop/users -o json | jq '.destinations[].didCall[].principal'`,
    )
    .action(run);
}
