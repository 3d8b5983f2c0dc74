import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { withScheme } from '../../ca/identity/spiffe-id.ts';
import { type CutOff, identityOf, inventory } from '../../audit/certificates/inventory.ts';
import { printableInventory } from '../../audit/certificates/printable.ts';
import { isFormat, print } from '../../audit/document/print.ts';
import { type LoggedIssuance, readLog } from '../../ca/log/read.ts';
import { revocationFile } from '../../ca/revocation/file.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { caDir } from '../ca/folder-command.ts';
import {
  type AuditFlags,
  authorOf,
  dbOption,
  fail,
  load,
  outputOption,
  preparedByOption,
  withFilters,
  withPeriod,
} from './options.ts';
import { writeAll } from './write.ts';

type CertificatesFlags = AuditFlags & { readonly caDir: string; readonly output: string };

/** The certificates that were valid in a period, or asked for in it; all of them without one. */
export async function issuancesIn(
  log: string,
  since: number | undefined,
  until: number | undefined,
): Promise<readonly LoggedIssuance[]> {
  const found: LoggedIssuance[] = [];
  for await (const entry of readLog(log)) {
    if (entry.kind !== 'issuance') continue;
    if (since !== undefined && Date.parse(entry.notAfter) < since) continue;
    if (until !== undefined && Date.parse(entry.time) >= until) continue;
    found.push(entry);
  }
  return found.toSorted((one, other) => one.record - other.record);
}

/** Who is cut off by the list in an authority's folder. */
export async function cutOffIn(revocations: string): Promise<CutOff> {
  const { entries } = await revocationFile(revocations).load();
  return {
    serials: new Set(
      entries.flatMap((entry) => (entry.kind === 'serial' ? [entry.serial] : entry.certificates.map(({ serial }) => serial))),
    ),
    identities: new Set(entries.flatMap((entry) => (entry.kind === 'identity' ? [entry.identity] : []))),
  };
}

function isAbout(issuance: LoggedIssuance, { identity, namespace }: CertificatesFlags): boolean {
  const own = identityOf(issuance);
  if (identity !== undefined && own !== withScheme(identity)) return false;
  return namespace === undefined || own.includes(`/ns/${namespace}/`);
}

async function run(flags: CertificatesFlags): Promise<void> {
  const { issuanceLog, revocations } = folderAt(flags.caDir);
  if (!existsSync(issuanceLog)) return fail(1, `there is no issuance log in ${flags.caDir}: no authority was opened there`);
  const report = await load(flags, new Date(), { certificates: true, latencies: flags.output === 'json' });
  if (report === undefined || !isFormat(flags.output)) return;
  const { since, until } = report.period;
  const issuances = await issuancesIn(issuanceLog, since, until);
  const found = inventory(issuances, report.lines, await cutOffIn(revocations), report.generatedAt);
  const rows = found.rows.filter(({ issuance }) => isAbout(issuance, flags));
  const printable = printableInventory(found, rows, report, authorOf(flags, flags), issuanceLog);
  await writeAll(print(printable, flags.output), process.stdout);
}

/** `gatehouse audit certificates`: what was issued, on what evidence, and which calls were made with it. */
export function certificatesCommand(): Command {
  return withFilters(withPeriod(new Command('certificates').addOption(dbOption())))
    .description('certificates of the issuance log, their evidence and grant, and the calls made with them')
    .addOption(caDir())
    .addOption(outputOption())
    .addOption(preparedByOption())
    .addHelpText(
      'after',
      `
With a period: the certificates that were valid in it. With --namespace or --identity: of these only.

Examples:
  gatehouse audit certificates --ca-dir .gatehouse/ca --since 1d
  gatehouse audit certificates --ca-dir .gatehouse/ca --identity cluster.local/ns/shop/sa/users -o json
  gatehouse audit certificates --ca-dir .gatehouse/ca -o csv > certificates.csv`,
    )
    .action((flags: CertificatesFlags) =>
      run(flags).catch((error: unknown) => fail(1, error instanceof Error ? error.message : String(error))),
    );
}
