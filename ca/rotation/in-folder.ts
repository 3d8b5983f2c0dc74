import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseBundle } from '../root/chain.ts';
import { AuthorityError } from '../root/error.ts';
import { readRotation } from './file.ts';
import { generationFolder } from './generation.ts';
import { kept, type Phase, signing, trusted } from './state.ts';

/** A root beside the one that signs, while one follows the other. */
export interface OtherRoot {
  readonly role: 'old' | 'new';
  /** Whether it is in the trust bundle. */
  readonly trusted: boolean;
  readonly certificate: X509Certificate;
}

export interface RotationInFolder {
  readonly phase: Phase;
  readonly since: string;
  readonly others: readonly OtherRoot[];
}

/** How far a rotation is, by the files alone: whether or not a control plane runs. Undefined where there never was one. */
export async function rotationInFolder(dir: string): Promise<RotationInFolder | undefined> {
  const record = await readRotation(dir);
  if (record === undefined) return undefined;
  const { state, since } = record;
  const others: OtherRoot[] = [];
  for (const generation of kept(state)) {
    if (generation === signing(state) || state.phase === 'steady') continue;
    const path = generationFolder(dir, generation).roots;
    const bundle = parseBundle(await readFile(path, 'utf8'));
    if (!bundle.ok) throw new AuthorityError(`${path}: ${bundle.reason}`);
    const role = generation === state.old ? 'old' : 'new';
    const inBundle = trusted(state).includes(generation);
    for (const certificate of bundle.value) others.push({ role, trusted: inBundle, certificate });
  }
  return { phase: state.phase, since, others };
}
