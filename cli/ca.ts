import { createHash, type X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { type LoggedIssuance, type LoggedRefusal, readIssuanceLog } from '../ca/log/read.ts';
import { parseTrustDomain } from '../ca/identity/trust-domain.ts';
import { AuthorityError } from '../ca/root/error.ts';
import { loadOrCreateRoot, loadRoot, type Root } from '../ca/root/load.ts';
import { lockFolder } from '../ca/root/lock.ts';
import { folderAt, prepareFolder } from '../ca/root/folder.ts';

const DAY_MS = 24 * 3600 * 1000;
const WARN_DAYS = 90;

function fail(code: 1 | 2, message: string): void {
  process.stderr.write(`gatehouse ca: ${message}\n`);
  process.exitCode = code;
}

/** Runs a command; a folder in a wrong state is a finding (exit 1), not a crash. */
async function reported(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    const system = error instanceof Error && 'code' in error && typeof error.code === 'string';
    if (!(error instanceof AuthorityError) && !system) throw error;
    fail(1, error.message);
  }
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function caDir(): Option {
  return new Option('--ca-dir <dir>', "the authority's folder").makeOptionMandatory();
}

interface DescribedCertificate {
  readonly role: 'issuing' | 'root';
  readonly subject: string;
  readonly names: string;
  readonly serial: string;
  readonly sha256: string;
  readonly keySha256: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly daysLeft: number;
}

function describe(role: DescribedCertificate['role'], certificate: X509Certificate, now: Date): DescribedCertificate {
  return {
    role,
    subject: certificate.subject.replaceAll('\n', ', '),
    names: certificate.subjectAltName ?? '',
    serial: certificate.serialNumber.toLowerCase(),
    sha256: certificate.fingerprint256,
    keySha256: createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
    daysLeft: Math.floor((certificate.validToDate.getTime() - now.getTime()) / DAY_MS),
  };
}

function warnings(certificates: readonly DescribedCertificate[]): readonly string[] {
  return certificates.flatMap(({ role, daysLeft, notAfter }) => {
    if (daysLeft < 0) return [`the ${role} certificate expired on ${notAfter}: nothing can be issued`];
    return daysLeft < WARN_DAYS ? [`the ${role} certificate expires in ${daysLeft} days (${notAfter}); plan a new one`] : [];
  });
}

interface RootFlags {
  readonly caDir: string;
  readonly output: 'table' | 'json' | 'pem';
  readonly create?: true;
  readonly trustDomain: string;
}

async function rootOf(flags: RootFlags): Promise<Root | undefined> {
  const folder = folderAt(flags.caDir);
  if (flags.create !== true) return loadRoot(folder);
  const trustDomain = parseTrustDomain(flags.trustDomain);
  if (!trustDomain.ok) {
    fail(2, `--trust-domain: ${trustDomain.reason}`);
    return undefined;
  }
  await prepareFolder(folder);
  const unlock = lockFolder(folder.lock, folder.dir);
  try {
    const log = pino({ level: 'warn' }, pino.destination(2));
    return await loadOrCreateRoot(folder, { clock: () => new Date(), trustDomain: trustDomain.value, log });
  } finally {
    unlock();
  }
}

async function showRoot(flags: RootFlags): Promise<void> {
  const root = await rootOf(flags);
  if (root === undefined) return;
  const now = new Date();
  const issuing = root.issuer.certificate;
  const certificates = [
    ...(root.intermediatesPem.length > 0 ? [describe('issuing', issuing, now)] : []),
    ...root.roots.map((certificate) => describe('root', certificate, now)),
  ];
  const findings = warnings(certificates);
  if (flags.output === 'pem') process.stdout.write(root.rootCertPem);
  else if (flags.output === 'json') print({ certificates, warnings: findings });
  else
    for (const certificate of certificates) {
      const table = new Table({ style: { head: [], border: [] } });
      table.push(...Object.entries(certificate).map(([name, value]) => ({ [name]: String(value) })));
      process.stdout.write(`${table.toString()}\n`);
    }
  for (const finding of findings) fail(1, finding);
}

interface LogFlags {
  readonly caDir: string;
  readonly output: 'table' | 'json';
  readonly identity?: string;
  readonly serial?: string;
  readonly limit?: number;
}

async function showLog(flags: LogFlags): Promise<void> {
  const { dir, issuanceLog } = folderAt(flags.caDir);
  if (!existsSync(issuanceLog)) return fail(1, `there is no issuance log in ${dir}: no authority was opened there`);
  const { issuances, refusals, unreadable } = await readIssuanceLog(issuanceLog);
  const identity = flags.identity?.replace(/^spiffe:\/\//, '');
  const mine = issuances.filter(
    ({ names, serial }) =>
      (identity === undefined || names === `URI:spiffe://${identity}`) &&
      (flags.serial === undefined || serial === flags.serial.toLowerCase()),
  );
  const shown = flags.limit === undefined ? mine : mine.slice(-flags.limit);
  if (flags.output === 'json') print({ issuances: shown, refusals, unreadable });
  else printTables(shown, refusals);
  if (unreadable > 0)
    fail(1, `${unreadable} lines of the log are no records: a crash while writing (the next start sets it aside), or damage`);
}

function printTables(issuances: readonly LoggedIssuance[], refusals: readonly LoggedRefusal[]): void {
  const table = new Table({
    head: ['time', 'names', 'outcome', 'serial', 'valid until', 'evidence', 'key'],
    style: { head: [], border: [] },
  });
  for (const { time, names, outcome, serial, notAfter, evidence, key } of issuances)
    table.push([time, names, outcome, serial, notAfter, `${evidence.kind}: ${evidence.subject}`, key]);
  process.stdout.write(`${table.toString()}\n`);
  if (refusals.length === 0) return;
  const refused = new Table({ head: ['time', 'refused', 'reason', 'evidence'], style: { head: [], border: [] } });
  for (const { time, code, reason, evidence } of refusals.slice(-20))
    refused.push([time, code, reason, evidence === undefined ? '' : `${evidence.kind}: ${evidence.subject}`]);
  process.stdout.write(`${refused.toString()}\n`);
}

function positive(value: string): number {
  return /^[1-9]\d{0,8}$/.test(value) ? Number(value) : Number.NaN;
}

function rootCommand(): Command {
  return new Command('root')
    .description('the root certificate: fingerprint, validity, warnings; exit 1 when it expires within 90 days')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json', 'pem']).default('table'))
    .option('--create', 'create the folder and a root when there is none')
    .option('--trust-domain <name>', 'trust domain of a new root', 'cluster.local')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca root --ca-dir .gatehouse/ca
  gatehouse ca root --ca-dir .gatehouse/ca -o pem > root-cert.pem
  gatehouse ca root --ca-dir .gatehouse/ca -o json | jq -r '.certificates[].notAfter'
  gatehouse ca root --ca-dir new-ca --create --trust-domain example.org`,
    )
    .action((flags: RootFlags) => reported(() => showRoot(flags)));
}

function logCommand(): Command {
  return new Command('log')
    .description('what the authority issued and refused')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .option('--identity <spiffe-id>', 'only certificates of this identity, with or without spiffe://')
    .option('--serial <hex>', 'only the certificate with this serial number')
    .option('--limit <n>', 'only the newest n certificates', positive)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log --ca-dir .gatehouse/ca
  gatehouse ca log --ca-dir .gatehouse/ca --identity cluster.local/ns/shop/sa/cart -o json
  gatehouse ca log --ca-dir .gatehouse/ca --limit 20`,
    )
    .action(async (flags: LogFlags) => {
      if (Number.isNaN(flags.limit)) fail(2, '--limit must be a positive number');
      else await reported(() => showLog(flags));
    });
}

/** `gatehouse ca`: the authority's root and its issuance log. */
export function caCommand(): Command {
  return new Command('ca')
    .description('the certificate authority: its root and what it issued')
    .addCommand(rootCommand())
    .addCommand(logCommand());
}
