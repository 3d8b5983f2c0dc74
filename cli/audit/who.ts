import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { grantOf, identityOf } from '../../audit/certificates/inventory.ts';
import { isFormat, print } from '../../audit/document/print.ts';
import { type KnownCertificates, printableWho } from '../../audit/grants/printable.ts';
import { serialOf } from '../../audit/model/certificate-use.ts';
import { whoOf } from '../../audit/grants/who.ts';
import type { Destination } from '../../policy/access/world.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { issuancesIn } from './certificates.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { destinationsNamed, type MeshFlags, meshFor } from './mesh.ts';
import { type AuditFlags, authorOf, dbOption, fail, load, outputOption, preparedByOption, withPeriod } from './options.ts';
import { writeAll } from './write.ts';

type WhoFlags = Pick<AuditFlags, 'db' | 'since' | 'until' | 'preparedBy'> &
  MeshFlags & { readonly output: string; readonly caDir?: string };

/** What the issuance log says of certificates, whenever they were issued: long before the calls, perhaps. */
async function knownIn(log: string): Promise<KnownCertificates> {
  const known = new Map<string, { identity: string; evidence: string; grant: string }>();
  for (const issuance of await issuancesIn(log, undefined, undefined)) {
    const serial = issuance.outcome === 'withheld' ? undefined : serialOf(issuance.serial);
    if (serial === undefined) continue;
    const { kind, subject } = issuance.evidence;
    known.set(serial, { identity: identityOf(issuance), evidence: `${kind}: ${subject}`, grant: grantOf(issuance) });
  }
  return known;
}

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
  const log = flags.caDir === undefined ? undefined : folderAt(flags.caDir).issuanceLog;
  if (log !== undefined && !existsSync(log))
    return fail(1, `there is no issuance log in ${flags.caDir ?? ''}: no authority was opened there`);
  const report = await load({ db: flags.db, since: flags.since, until: flags.until }, new Date(), {
    certificates: true,
    latencies: flags.output === 'json',
  });
  if (report === undefined || !isFormat(flags.output)) return;
  const asked = whoOf(report, [...destinations.values()], known);
  await writeAll(
    print(printableWho(asked, report, authorOf(flags, flags), log === undefined ? undefined : await knownIn(log)), flags.output),
    process.stdout,
  );
}

/** `gatehouse audit who`: who may and who did call. */
export function whoCommand(): Command {
  return withPeriod(new Command('who').addOption(dbOption()))
    .description('who may and who did call a workload')
    .argument('<[namespace/]name...>', 'workloads or Services that are called')
    .option('--ca-dir <dir>', "the authority's folder: on what evidence the certificates of the callers were issued")
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
  gatehouse audit who shop/users -f mesh/ --ca-dir .gatehouse/ca -o json    # with the certificates, and their evidence
  gatehouse audit who users --since 7d -f mesh/ -o html > users.html
  gatehouse audit who shop/users -o json | jq '.destinations[].didCall[].principal'`,
    )
    .action(run);
}
