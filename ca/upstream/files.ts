import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import type { Folder } from '../root/folder.ts';
import { record } from './https.ts';
import { isOwnKey, type KeptKey } from './key-place.ts';
import type { NewIntermediate } from './request.ts';

/** Holds a whole renewal until the files of the folder are all replaced: key and certificate cannot be exchanged in one step. */
export function renewalFile({ dir }: Folder): string {
  return join(dir, '.renewal.json');
}

/** The key in a token that was in use before the present one: removed with the next renewal, when nobody signs with it any more. */
function formerKeyFile({ dir }: Folder): string {
  return join(dir, 'ca-key.former-uri');
}

interface Contents {
  readonly key: KeptKey;
  readonly certificate: string;
  /** Empty where the intermediate is signed by the root itself. */
  readonly chain: string;
  /** Only on the first request: later the trust bundle is not the upstream's to change. */
  readonly roots?: string | undefined;
  /** Where the key is that was in use before, if it is in a token. */
  readonly former?: string | undefined;
}

/**
 * Puts a new intermediate into the folder. After a crash at any moment either the old one is there, or `finishRenewal` puts the new one there.
 * Gives the key in a token that is of no use to anybody from now on.
 */
export async function writeIntermediate(folder: Folder, made: NewIntermediate, first: boolean): Promise<string | undefined> {
  const [former, unused] = [await uriIn(folder.keyUri), await uriIn(formerKeyFile(folder))];
  const contents: Contents = {
    key: made.key,
    certificate: made.certificate.toString(),
    chain: made.between.map((item) => item.toString()).join(''),
    ...(first && { roots: made.root.toString() }),
    ...(former !== undefined && isOwnKey(former) && { former }),
  };
  await writeAtomically(renewalFile(folder), JSON.stringify(contents), 0o600);
  await apply(folder, contents);
  return unused !== undefined && isOwnKey(unused) && unused !== former ? unused : undefined;
}

async function uriIn(path: string): Promise<string | undefined> {
  return existsSync(path) ? (await readFile(path, 'utf8')).trim() : undefined;
}

/** Finishes what a crash interrupted; does nothing otherwise. */
export async function finishRenewal(folder: Folder): Promise<void> {
  const path = renewalFile(folder);
  if (!existsSync(path)) return;
  const contents = parse(await readFile(path, 'utf8'));
  if (contents === undefined) throw new AuthorityError(`${path} is damaged; restore the folder from a backup`);
  await apply(folder, contents);
}

async function apply(folder: Folder, { key, certificate, chain, roots, former }: Contents): Promise<void> {
  const [path, other] = key.kind === 'file' ? [folder.key, folder.keyUri] : [folder.keyUri, folder.key];
  await rm(other, { force: true });
  await writeAtomically(path, key.kind === 'file' ? key.text : `${key.uri}\n`, 0o600);
  if (former === undefined) await rm(formerKeyFile(folder), { force: true });
  else await writeAtomically(formerKeyFile(folder), `${former}\n`, 0o600);
  if (chain === '') await rm(folder.chain, { force: true });
  else await writeAtomically(folder.chain, chain, 0o644);
  if (roots !== undefined) await writeAtomically(folder.roots, roots, 0o644);
  await writeAtomically(folder.certificate, certificate, 0o644);
  await rm(renewalFile(folder));
  await syncFolder(folder.dir);
}

function keyIn(value: unknown): KeptKey | undefined {
  // Written by older versions, which had keys in files only.
  if (typeof value === 'string') return { kind: 'file', text: value };
  const { kind, text, uri } = record(value);
  if (kind === 'file' && typeof text === 'string') return { kind, text };
  return kind === 'token' && typeof uri === 'string' ? { kind, uri } : undefined;
}

function parse(text: string): Contents | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = record(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { certificate, chain, roots, former } = fields;
  const key = keyIn(fields['key']);
  if (key === undefined || typeof certificate !== 'string' || typeof chain !== 'string') return undefined;
  if (roots !== undefined && typeof roots !== 'string') return undefined;
  if (former !== undefined && typeof former !== 'string') return undefined;
  return { key, certificate, chain, roots, former };
}
