import { existsSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { Command } from 'commander';
import { bundle } from '../../audit/bundle/bundle.ts';
import { bundleFiles } from '../../audit/bundle/contents.ts';
import { logEvidence } from '../../audit/bundle/log-proofs.ts';
import { signerChain } from '../../audit/bundle/signature.ts';
import { inventory } from '../../audit/certificates/inventory.ts';
import { printableInventory } from '../../audit/certificates/printable.ts';
import { usageAddition } from '../../audit/grants/printable.ts';
import { usage } from '../../audit/grants/usage.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { loadRoot } from '../../ca/root/load.ts';
import { listFiles } from '../../mesh/source/files.ts';
import { caDir } from '../ca/folder-command.ts';
import { logOf } from '../ca/log/log-files.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { passphraseOptions, passphraseSource } from '../options/passphrase.ts';
import { cutOffIn, issuancesIn } from './certificates.ts';
import { type MeshFlags, meshFor } from './mesh.ts';
import { type AuditFlags, authorOf, dbOption, fail, load, preparedByOption, withPeriod } from './options.ts';

type BundleFlags = Pick<AuditFlags, 'db' | 'since' | 'until' | 'preparedBy'> &
  MeshFlags & {
    readonly caDir: string;
    readonly out: string;
    readonly caKeyPassphraseFile?: string;
    readonly caKeyPassphraseEnv?: string;
  };

/** Over nothing that is there: an old bundle is evidence. What could not be written whole is removed. */
async function write(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    const source = Readable.from(pieces);
    for await (const piece of /\.t?gz$/.test(path) ? source.pipe(createGzip()) : source) {
      if (piece instanceof Uint8Array) await file.writeFile(piece);
    }
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function run(flags: BundleFlags): Promise<void> {
  const passphrase = passphraseSource('ca-key-passphrase', flags.caKeyPassphraseFile, flags.caKeyPassphraseEnv);
  if (!passphrase.ok) return fail(2, passphrase.reason);
  if (existsSync(flags.out)) return fail(2, `${flags.out} exists; a bundle is never overwritten`);
  const mesh = meshFor(flags);
  if (mesh === undefined) return;
  const now = new Date();
  const report = await load({ db: flags.db, since: flags.since, until: flags.until }, now, {
    certificates: true,
    latencies: true,
  });
  if (report === undefined) return;
  const author = authorOf(flags, flags);
  const folder = folderAt(flags.caDir);
  const { files: logFiles, verifier } = await logOf(flags.caDir);
  const { since, until } = report.period;
  const issuances = await issuancesIn(folder.issuanceLog, since, until);
  const found = inventory(issuances, report.lines, await cutOffIn(folder.revocations), now);
  const evidence = await logEvidence(logFiles, verifier, new Set(issuances.map(({ serial }) => serial)));
  if (!evidence.ok) return fail(1, evidence.reason);
  const configured = [...listFiles(flags.filename ?? []).files, ...(flags.meshConfig === undefined ? [] : [flags.meshConfig])];
  const configuration = await Promise.all(
    configured.filter((name) => name !== '-').map(async (name) => ({ name, bytes: await readFile(name) })),
  );
  const root = await loadRoot(folder, undefined, { passphrase: passphrase.value });
  try {
    const pieces = await bundle({
      about: {
        ...author,
        period: {
          since: since === undefined ? null : new Date(since).toISOString(),
          until: new Date(until ?? now).toISOString(),
        },
      },
      files: bundleFiles({
        report,
        printedReport: printableReport(report, author, mesh === 'none' ? undefined : usageAddition(usage(report, mesh))),
        certificates: printableInventory(found, found.rows, report, author, folder.issuanceLog),
        evidence: evidence.value,
        configuration,
      }),
      signer: signerChain(root),
      signBytes: root.issuer.sign,
      now,
    });
    await write(flags.out, pieces);
  } finally {
    await root.close();
  }
  process.stdout.write(`${flags.out}\n`);
}

/** `gatehouse audit bundle`: a signed archive for auditors. */
export function bundleCommand(): Command {
  const command = withPeriod(new Command('bundle').addOption(dbOption()))
    .description('a signed, dated archive: reports, edges, policies, certificates with proofs, losses and gaps')
    .addOption(caDir())
    .requiredOption('--out <file>', 'where to write it: .tar, or .tar.gz; never over a file that is there')
    .addOption(filenameOption())
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(preparedByOption());
  for (const option of passphraseOptions('ca-key-passphrase', "of the authority's key file")) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
The authority's key signs the manifest, which has the SHA-256 of every file. With -f the configuration is in it, and the report is joined
with it. Check it anywhere with "gatehouse audit verify".

Examples:
  gatehouse audit bundle --ca-dir .gatehouse/ca --since 2026-10-01 --until 2026-11-01 -f mesh/ --out october.tar.gz
  gatehouse audit verify october.tar.gz --root root-cert.pem`,
    )
    .action((flags: BundleFlags) =>
      run(flags).catch((error: unknown) => fail(1, error instanceof Error ? error.message : String(error))),
    );
}
