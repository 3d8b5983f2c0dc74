import type { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { type Imported, importInto } from '../../ca/import/into-folder.ts';
import { readPrivateKey } from '../../ca/import/private-key.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { type PassphraseSource, readPassphrase } from '../../ca/key-store/passphrase.ts';
import { isPkcs11Uri } from '../../ca/key-store/pkcs11/uri.ts';
import { parseBundle } from '../../ca/root/chain.ts';
import { AuthorityError } from '../../ca/root/error.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { passphraseOptions, passphraseSource } from '../options/passphrase.ts';
import { caDir, fail, reported } from './folder-command.ts';

interface ImportFlags {
  readonly caDir: string;
  readonly key?: string;
  readonly cert?: string;
  readonly chain?: string;
  readonly root?: string;
  readonly pkcs12?: string;
  readonly trustDomain?: string;
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  readonly caKeyPassphraseFile?: string;
  readonly caKeyPassphraseEnv?: string;
}

const EXAMPLES = `
Examples:
  gatehouse ca import --ca-dir new-ca --key old-key.pem --passphrase-file old-pass.txt --cert ca.pem --root root.pem
  gatehouse ca import --ca-dir new-ca --pkcs12 ca.p12 --passphrase-env OLD --ca-key-passphrase-file new-pass.txt
  gatehouse ca import --ca-dir new-ca --cert ca.pem --root root.pem \\
    --key 'pkcs11:token=ca;object=issuing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin'

Keys: PKCS#8 (plain, PBES1, PBES2), PKCS#1 and EC keys (plain or with the old DEK-Info header), PKCS#12 of any age.
The folder must be empty; a running authority goes over to another CA with gatehouse ca rotate.`;

const LARGEST = 1024 * 1024;

export function importCommand(): Command {
  const command = new Command('import')
    .description('a CA from elsewhere, its key possibly encrypted in an old way, into an empty folder')
    .addOption(caDir())
    .option('--key <file>', 'the private key: a PEM file, or the PKCS#11 URI of a key in a token')
    .option('--cert <file>', 'the CA certificate, PEM; others after it are taken as its chain')
    .option('--chain <file>', 'certificates between it and the root, PEM')
    .option('--root <file>', 'the trust bundle, PEM; not needed for a self-signed CA certificate')
    .option('--pkcs12 <file>', 'key and certificates in one PKCS#12 file, instead of --key, --cert, --chain')
    .option('--trust-domain <name>', 'refuse a CA of another trust domain');
  for (const option of passphraseOptions('passphrase', 'of what is imported')) command.addOption(option);
  for (const option of passphraseOptions(
    'ca-key-passphrase',
    'to keep the key under in the folder; without it the file is plain',
  ))
    command.addOption(option);
  return command.addHelpText('after', EXAMPLES).action((flags: ImportFlags) => reported(() => importAuthority(flags)));
}

async function importAuthority(flags: ImportFlags): Promise<void> {
  const passphrase = passphraseSource('passphrase', flags.passphraseFile, flags.passphraseEnv);
  const kept = passphraseSource('ca-key-passphrase', flags.caKeyPassphraseFile, flags.caKeyPassphraseEnv);
  const trustDomain = flags.trustDomain === undefined ? undefined : parseTrustDomain(flags.trustDomain);
  if (!passphrase.ok) return fail(2, passphrase.reason);
  if (!kept.ok) return fail(2, kept.reason);
  if (trustDomain?.ok === false) return fail(2, `--trust-domain: ${trustDomain.reason}`);
  const { key, cert, pkcs12 } = flags;
  const separate = key !== undefined && cert !== undefined && pkcs12 === undefined;
  if (!separate && (pkcs12 === undefined || key !== undefined || cert !== undefined))
    return fail(2, 'give --key and --cert, or --pkcs12');
  const secret = passphrase.value && (await readPassphrase(passphrase.value));
  const imported = separate ? await fromFiles(flags, key, cert, secret) : await fromPkcs12(flags, pkcs12 ?? '', secret);
  const folder = folderAt(flags.caDir);
  await importInto(folder, imported, await keepUnder(kept.value), trustDomain?.value);
  process.stderr.write(`imported into ${folder.dir}; see gatehouse ca root --ca-dir ${flags.caDir}\n`);
}

async function keepUnder(source: PassphraseSource | undefined): Promise<string | undefined> {
  return source && readPassphrase(source);
}

async function fromFiles(flags: ImportFlags, keyFile: string, certFile: string, secret: string | undefined): Promise<Imported> {
  const [certificate, ...followers] = await certificatesAt(certFile);
  if (certificate === undefined) throw new AuthorityError(`${certFile}: there is no certificate`);
  const chain = [...followers, ...(flags.chain === undefined ? [] : await certificatesAt(flags.chain))];
  return { key: await keyAt(keyFile, secret), certificate, ...(await withRoots(flags, certificate, chain)) };
}

async function keyAt(keyFile: string, secret: string | undefined): Promise<Imported['key']> {
  if (isPkcs11Uri(keyFile)) return { uri: keyFile };
  const key = await readPrivateKey((await bytesAt(keyFile)).toString('latin1'), secret);
  if (!key.ok) throw new AuthorityError(`${keyFile}: ${key.reason}`);
  return key.value;
}

async function fromPkcs12(flags: ImportFlags, path: string, secret = ''): Promise<Imported> {
  // Loaded here and not at the top: node-forge is large.
  const { readPkcs12 } = await import('../../ca/import/pkcs12.ts');
  const parts = readPkcs12(await bytesAt(path), secret);
  if (!parts.ok) throw new AuthorityError(`${path}: ${parts.reason}`);
  const { key, certificates } = parts.value;
  const certificate = certificates.find((one) => one.checkPrivateKey(key));
  if (certificate === undefined) throw new AuthorityError(`${path}: no certificate in it belongs to the key`);
  return { key, certificate, ...(await withRoots(flags, certificate, certificates)) };
}

/** The roots as given, or the self-signed ones among the certificates; the chain is what is left. */
async function withRoots(
  flags: ImportFlags,
  own: X509Certificate,
  others: readonly X509Certificate[],
): Promise<Pick<Imported, 'chain' | 'roots'>> {
  const all = [own, ...others.filter((one) => !one.raw.equals(own.raw))];
  const selfSigned = all.filter((one) => one.checkIssued(one) && one.verify(one.publicKey));
  const roots = flags.root === undefined ? selfSigned : await certificatesAt(flags.root);
  if (roots.length === 0) throw new AuthorityError('the root is missing: give --root FILE');
  return { roots, chain: all.slice(1).filter((one) => !selfSigned.includes(one)) };
}

async function certificatesAt(path: string): Promise<readonly X509Certificate[]> {
  const found = parseBundle((await bytesAt(path)).toString('latin1'));
  if (!found.ok) throw new AuthorityError(`${path}: ${found.reason}`);
  return found.value;
}

async function bytesAt(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > LARGEST) throw new AuthorityError(`${path} is larger than 1 MiB`);
  return readFile(path);
}
