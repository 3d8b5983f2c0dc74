import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SecretRoot } from '../key-store/kubernetes-secret.ts';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { type RotationRecord, writeRotation } from './file.ts';
import { generationFolder } from './generation.ts';
import { kept } from './state.ts';

/** A rotation as replicas share it: which root does what, and the files of each root that is needed. */
export interface SharedRotation {
  readonly record: RotationRecord;
  readonly roots: ReadonlyMap<number, SecretRoot>;
}

/** Where replicas share a rotation. What it holds counts; each replica's folder is a copy. */
export interface RotationStore {
  /** A step for all replicas, durable once it resolves with true. False: another was taken since this replica last heard of one. */
  save(next: SharedRotation): Promise<boolean>;
}

/** The files of the roots that a record needs, for the other replicas. @throws AuthorityError for a root that cannot be shared */
export async function sharedRoots(dir: string, { state }: RotationRecord): Promise<ReadonlyMap<number, SecretRoot>> {
  const roots = new Map<number, SecretRoot>();
  for (const generation of kept(state)) {
    const folder = generationFolder(dir, generation);
    if (!existsSync(folder.key))
      throw new AuthorityError(`the key of root ${generation} is in a token: it cannot be shared between replicas in a Secret`);
    roots.set(generation, {
      keyText: await readFile(folder.key, 'utf8'),
      certificate: await readFile(folder.certificate, 'utf8'),
      chain: existsSync(folder.chain) ? await readFile(folder.chain, 'utf8') : undefined,
      roots: await readFile(folder.roots, 'utf8'),
    });
  }
  return roots;
}

/** Puts one root's files into their place; may be done again. Keys are 0600. */
export async function writeSharedRoot(dir: string, generation: number, root: SecretRoot): Promise<void> {
  const folder = generationFolder(dir, generation);
  await mkdir(dirname(folder.roots), { recursive: true, mode: 0o700 });
  await put(folder.key, root.keyText, 0o600);
  await put(folder.certificate, root.certificate, 0o644);
  if (root.chain === undefined) await rm(folder.chain, { force: true });
  else await put(folder.chain, root.chain, 0o644);
  await put(folder.roots, root.roots, 0o644);
}

/** Before an authority is opened on a folder: what replicas share replaces what is there. */
export async function restoreShared(dir: string, { record, roots }: SharedRotation): Promise<void> {
  for (const [generation, root] of roots) await writeSharedRoot(dir, generation, root);
  await writeRotation(dir, record);
}

async function put(path: string, text: string, mode: number): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== text) await writeAtomically(path, text, mode);
}
