import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import type { Folder } from '../root/folder.ts';
import { record } from './https.ts';
import type { NewIntermediate } from './request.ts';

/** Holds a whole renewal until the files of the folder are all replaced: key and certificate cannot be exchanged in one step. */
export function renewalFile({ dir }: Folder): string {
  return join(dir, '.renewal.json');
}

export type KeyText = (key: KeyObject) => Promise<string>;

const plain: KeyText = (key) => Promise.resolve(key.export({ type: 'pkcs8', format: 'pem' }).toString());

interface Contents {
  readonly key: string;
  readonly certificate: string;
  /** Empty where the intermediate is signed by the root itself. */
  readonly chain: string;
  /** Only on the first request: later the trust bundle is not the upstream's to change. */
  readonly roots?: string | undefined;
}

/** Puts a new intermediate into the folder. After a crash at any moment either the old one is there, or `finishRenewal` puts the new one there. */
export async function writeIntermediate(
  folder: Folder,
  made: NewIntermediate,
  first: boolean,
  keyText: KeyText = plain,
): Promise<void> {
  const contents: Contents = {
    key: await keyText(made.key),
    certificate: made.certificate.toString(),
    chain: made.between.map((item) => item.toString()).join(''),
    ...(first && { roots: made.root.toString() }),
  };
  await writeAtomically(renewalFile(folder), JSON.stringify(contents), 0o600);
  await apply(folder, contents);
}

/** Finishes what a crash interrupted; does nothing otherwise. */
export async function finishRenewal(folder: Folder): Promise<void> {
  const path = renewalFile(folder);
  if (!existsSync(path)) return;
  const contents = parse(await readFile(path, 'utf8'));
  if (contents === undefined) throw new AuthorityError(`${path} is damaged; restore the folder from a backup`);
  await apply(folder, contents);
}

async function apply(folder: Folder, { key, certificate, chain, roots }: Contents): Promise<void> {
  await writeAtomically(folder.key, key, 0o600);
  if (chain === '') await rm(folder.chain, { force: true });
  else await writeAtomically(folder.chain, chain, 0o644);
  if (roots !== undefined) await writeAtomically(folder.roots, roots, 0o644);
  await writeAtomically(folder.certificate, certificate, 0o644);
  await rm(renewalFile(folder));
  await syncFolder(folder.dir);
}

function parse(text: string): Contents | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = record(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { key, certificate, chain, roots } = fields;
  if (typeof key !== 'string' || typeof certificate !== 'string' || typeof chain !== 'string') return undefined;
  if (roots !== undefined && typeof roots !== 'string') return undefined;
  return { key, certificate, chain, roots };
}
