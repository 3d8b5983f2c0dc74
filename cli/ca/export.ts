import { Command, Option } from 'commander';
import { exportedCertificates, exportedKey } from '../../ca/export/contents.ts';
import { pkcs12 } from '../../ca/export/pkcs12.ts';
import { pkcs7 } from '../../ca/export/pkcs7.ts';
import { keyFileText } from '../../ca/key-store/encrypt.ts';
import { readPassphrase } from '../../ca/key-store/passphrase.ts';
import { writeAtomically } from '../../ca/root/atomic.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { signingFolder } from '../../ca/root/load.ts';
import { passphraseOptions, passphraseSource } from '../options/passphrase.ts';
import { caDir, fail, reported } from './folder-command.ts';

interface ExportFlags {
  readonly caDir: string;
  readonly format: 'pem' | 'pkcs12' | 'pkcs7';
  readonly withKey?: true;
  readonly out?: string;
  readonly name: string;
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  readonly caKeyPassphraseFile?: string;
  readonly caKeyPassphraseEnv?: string;
}

const EXAMPLES = `
Examples:
  gatehouse ca export --ca-dir .gatehouse/ca --format pem > ca.pem
  gatehouse ca export --ca-dir .gatehouse/ca --format pkcs7 --out ca.p7b
  gatehouse ca export --ca-dir .gatehouse/ca --format pkcs12 --with-key --passphrase-file pass.txt --out ca.p12
  gatehouse ca export --ca-dir .gatehouse/ca --format pem --with-key --passphrase-env BACKUP_PASSPHRASE --out backup.pem

A key is always encrypted: AES-256, its key by 600,000 rounds of PBKDF2 with HMAC-SHA256.`;

export function exportCommand(): Command {
  const command = new Command('export')
    .description("the authority's certificates, with its key where asked for, as PEM, PKCS#12 or PKCS#7")
    .addOption(caDir())
    .addOption(new Option('--format <format>', 'form of the output').choices(['pem', 'pkcs12', 'pkcs7']).default('pem'))
    .option('--with-key', 'the private key too, encrypted under the passphrase')
    .option('--out <file>', 'write to this file, mode 0600; without it to stdout')
    .option('--name <name>', 'name of the entry in PKCS#12', 'gatehouse-ca');
  for (const option of passphraseOptions('passphrase', 'for the output')) command.addOption(option);
  for (const option of passphraseOptions('ca-key-passphrase', "of the authority's key file")) command.addOption(option);
  return command.addHelpText('after', EXAMPLES).action((flags: ExportFlags) => reported(() => exportAuthority(flags)));
}

async function exportAuthority(flags: ExportFlags): Promise<void> {
  const passphrase = passphraseSource('passphrase', flags.passphraseFile, flags.passphraseEnv);
  const access = passphraseSource('ca-key-passphrase', flags.caKeyPassphraseFile, flags.caKeyPassphraseEnv);
  if (!passphrase.ok) return fail(2, passphrase.reason);
  if (!access.ok) return fail(2, access.reason);
  if (flags.format === 'pkcs7' && flags.withKey) return fail(2, 'PKCS#7 holds certificates only; use --format pkcs12 for a key');
  const needed = flags.withKey === true || flags.format === 'pkcs12';
  if (needed && passphrase.value === undefined)
    return fail(2, 'a passphrase is needed: --passphrase-file FILE or --passphrase-env NAME');
  if (flags.format !== 'pem' && flags.out === undefined && process.stdout.isTTY)
    return fail(2, `${flags.format} is binary; give --out FILE`);
  const secret = passphrase.value === undefined ? undefined : await readPassphrase(passphrase.value);
  const folder = await signingFolder(folderAt(flags.caDir));
  const certificates = await exportedCertificates(folder);
  const key = flags.withKey ? await exportedKey(folder, { passphrase: access.value }) : undefined;
  const made = await encoded(flags, certificates, key, secret ?? '');
  if (flags.out === undefined) process.stdout.write(made);
  else await writeAtomically(flags.out, made, 0o600);
}

async function encoded(
  { format, name }: ExportFlags,
  certificates: Awaited<ReturnType<typeof exportedCertificates>>,
  key: Awaited<ReturnType<typeof exportedKey>> | undefined,
  passphrase: string,
): Promise<string | Buffer> {
  switch (format) {
    case 'pem': {
      const keyPem = key === undefined ? '' : await keyFileText(key, passphrase);
      return keyPem + certificates.map((one) => one.toString()).join('');
    }
    case 'pkcs12':
      return pkcs12({ certificates, key, passphrase, name });
    case 'pkcs7':
      return pkcs7(certificates);
    default:
      return format satisfies never;
  }
}
