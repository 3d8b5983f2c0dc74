import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { type Folder, folderAt } from '../root/folder.ts';
import { nextKeyUri, type NewRootOptions, writeNewRoot } from '../root/new.ts';

/**
 * Where the files of a generation are. Generation 0 is in the authority's folder itself, but for its roots: there
 * root-cert.pem is the trust bundle that is given to agents, as soon as there is more than one generation.
 */
export function generationFolder(dir: string, generation: number): Folder {
  const own = folderAt(join(dir, 'roots', String(generation)));
  return generation === 0 ? { ...folderAt(dir), roots: own.roots } : own;
}

/** Keeps the roots of generation 0 apart from the bundle. May be done again. */
export async function setFirstApart(dir: string, rootsPem: string): Promise<void> {
  const { roots } = generationFolder(dir, 0);
  await makeFolder(dir, 0);
  await writeAtomically(roots, rootsPem, 0o644);
}

async function makeFolder(dir: string, generation: number): Promise<string> {
  const path = join(dir, 'roots', String(generation));
  await mkdir(path, { recursive: true, mode: 0o700 });
  await syncFolder(join(dir, 'roots'));
  await syncFolder(dir);
  return path;
}

const LARGEST_FILE = 1024 * 1024;

/** Takes a plugged-in root from a folder of Istio's `cacerts` layout. The key is copied, 0600. */
export async function copyRoot(from: string, dir: string, generation: number): Promise<Folder> {
  const source = folderAt(from);
  const [keyFile, keyPath]: readonly ['key' | 'keyUri', string] = existsSync(source.keyUri)
    ? ['keyUri', source.keyUri]
    : ['key', source.key];
  for (const path of [keyPath, source.certificate, source.roots]) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile())
      throw new AuthorityError(`${path} is missing; a folder to take a root from has ca-cert.pem, ca-key.pem and root-cert.pem`);
    if (found.size > LARGEST_FILE) throw new AuthorityError(`${path} is larger than 1 MiB`);
  }
  await makeFolder(dir, generation);
  const target = generationFolder(dir, generation);
  await copyDurably(keyPath, target[keyFile], 0o600);
  await copyDurably(source.certificate, target.certificate, 0o644);
  await copyDurably(source.roots, target.roots, 0o644);
  if (existsSync(source.chain)) await copyDurably(source.chain, target.chain, 0o644);
  return target;
}

/** Makes a root of our own. A CA whose key is in a token gets the next one there too: never a weaker place than before. */
export async function makeRoot(options: NewRootOptions, dir: string, generation: number, before: number): Promise<Folder> {
  await makeFolder(dir, generation);
  const target = generationFolder(dir, generation);
  const { keyUri } = generationFolder(dir, before);
  const kept = existsSync(keyUri) ? (await readFile(keyUri, 'utf8')).trim() : undefined;
  const store = kept === undefined ? undefined : nextKeyUri(kept, generation);
  await writeNewRoot(target, { ...options, key: { ...options.key, store } }, true);
  return target;
}

/** Removes the files of a generation that is out of service, its key first. May be done again. */
export async function removeGeneration(dir: string, generation: number): Promise<void> {
  const { key, keyUri, certificate, chain } = generationFolder(dir, generation);
  for (const path of [key, keyUri, certificate, chain]) await rm(path, { force: true });
  await rm(join(dir, 'roots', String(generation)), { recursive: true, force: true });
  await syncFolder(dir);
}

/** Generations of which there are files, but that nothing refers to: what a crash during `prepare`, or a rollback, left behind. */
export async function removeOthers(dir: string, needed: readonly number[]): Promise<readonly number[]> {
  const folder = join(dir, 'roots');
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => /^\d{1,9}$/.test(name));
  const orphans = names.map(Number).filter((generation) => generation !== 0 && !needed.includes(generation));
  for (const generation of orphans) await rm(join(folder, String(generation)), { recursive: true });
  await syncFolder(folder);
  return orphans;
}

async function copyDurably(from: string, to: string, mode: number): Promise<void> {
  await writeAtomically(to, await readFile(from, 'utf8'), mode);
}
