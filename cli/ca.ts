import { readFile } from 'node:fs/promises';
import { createHash, type X509Certificate } from 'node:crypto';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { rotationInFolder } from '../ca/rotation/in-folder.ts';
import { parseTrustDomain } from '../ca/identity/trust-domain.ts';
import { warnedBeforeMs } from '../ca/root/expiry.ts';
import { loadOrCreateRoot, loadRoot, type Root } from '../ca/root/load.ts';
import { lockFolder } from '../ca/root/lock.ts';
import { folderAt, prepareFolder } from '../ca/root/folder.ts';
import { caDir, fail, print, reported } from './ca/folder-command.ts';
import { logCommand } from './ca/log.ts';
import { exportCommand } from './ca/export.ts';
import { importCommand } from './ca/import.ts';
import { rotateCommand } from './ca/rotate.ts';
import { revokeCommand, revokedCommand } from './ca/revoke.ts';
import { tokenCommand } from './ca/token.ts';
import { caKeyOptions, type CaKeyFlags, parseCaKeyFlags } from './options/ca-key.ts';

const DAY_MS = 24 * 3600 * 1000;

interface DescribedCertificate {
  readonly role: 'issuing' | 'root' | 'old root' | 'new root';
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
  return certificates.flatMap(({ role, daysLeft, notBefore, notAfter }) => {
    if (daysLeft < 0) return [`the ${role} certificate expired on ${notAfter}: nothing can be issued`];
    return daysLeft * DAY_MS < warnedBeforeMs(new Date(notBefore), new Date(notAfter))
      ? [`the ${role} certificate expires in ${daysLeft} days (${notAfter}); plan a new one (gatehouse ca rotate --prepare)`]
      : [];
  });
}

interface RootFlags extends CaKeyFlags {
  readonly caDir: string;
  readonly output: 'table' | 'json' | 'pem';
  readonly create?: true;
  readonly trustDomain: string;
}

async function rootOf(flags: RootFlags): Promise<Root | undefined> {
  const folder = folderAt(flags.caDir);
  const key = parseCaKeyFlags(flags);
  if (!key.ok) {
    fail(2, key.reason);
    return undefined;
  }
  if (flags.create !== true) return loadRoot(folder, undefined, key.value);
  const trustDomain = parseTrustDomain(flags.trustDomain);
  if (!trustDomain.ok) {
    fail(2, `--trust-domain: ${trustDomain.reason}`);
    return undefined;
  }
  await prepareFolder(folder);
  const unlock = lockFolder(folder.lock, folder.dir);
  try {
    const log = pino({ level: 'warn' }, pino.destination(2));
    return await loadOrCreateRoot(folder, { clock: () => new Date(), trustDomain: trustDomain.value, log, key: key.value });
  } finally {
    unlock();
  }
}

async function showRoot(flags: RootFlags): Promise<void> {
  const root = await rootOf(flags);
  if (root === undefined) return;
  await root.close();
  const rotation = await rotationInFolder(folderAt(flags.caDir).dir);
  const now = new Date();
  const issuing = root.issuer.certificate;
  const certificates = [
    ...(root.intermediatesPem.length > 0 ? [describe('issuing', issuing, now)] : []),
    ...root.roots.map((certificate) => describe('root', certificate, now)),
    ...(rotation?.others ?? []).map(({ role, certificate }) => describe(`${role} root`, certificate, now)),
  ];
  const findings = warnings(certificates);
  if (flags.output === 'pem')
    process.stdout.write(rotation === undefined ? root.rootCertPem : await readFile(folderAt(flags.caDir).roots, 'utf8'));
  else if (flags.output === 'json')
    print({ certificates, rotation: rotation && { phase: rotation.phase, since: rotation.since }, warnings: findings });
  else {
    if (rotation !== undefined) process.stdout.write(`rotation: ${rotation.phase} since ${rotation.since}\n`);
    for (const certificate of certificates) {
      const table = new Table({ style: { head: [], border: [] } });
      table.push(...Object.entries(certificate).map(([name, value]) => ({ [name]: String(value) })));
      process.stdout.write(`${table.toString()}\n`);
    }
  }
  for (const finding of findings) fail(1, finding);
}

function rootCommand(): Command {
  const command = new Command('root')
    .description('the root certificate: fingerprint, validity, warnings; exit 1 when it expires within 90 days')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json', 'pem']).default('table'))
    .option('--create', 'create the folder and a root when there is none')
    .option('--trust-domain <name>', 'trust domain of a new root', 'cluster.local');
  for (const option of caKeyOptions('')) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca root --ca-dir .gatehouse/ca
  gatehouse ca root --ca-dir .gatehouse/ca -o pem > root-cert.pem
  gatehouse ca root --ca-dir .gatehouse/ca -o json | jq -r '.certificates[].notAfter'
  gatehouse ca root --ca-dir new-ca --create --trust-domain example.org --key-type ec-p384
  gatehouse ca root --ca-dir new-ca --create --ca-key-passphrase-file pass.txt`,
    )
    .action((flags: RootFlags) => reported(() => showRoot(flags)));
}

/** `gatehouse ca`: the authority's root, its issuance log and its join tokens. */
export function caCommand(): Command {
  return new Command('ca')
    .description('the certificate authority: its root, what it issued, and who may join')
    .addCommand(rootCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand())
    .addCommand(revokedCommand())
    .addCommand(logCommand())
    .addCommand(tokenCommand());
}
