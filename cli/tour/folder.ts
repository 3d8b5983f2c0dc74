import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface TourFolder {
  /** The mesh's YAML, for people to change while it runs. */
  readonly mesh: string;
  readonly run: string;
}

/** A fresh copy of the samples under `home`, so that the tour may be changed without changing the samples. */
export function tourFolder(home: string, samples: string): TourFolder {
  const mesh = join(home, 'mesh');
  rmSync(mesh, { recursive: true, force: true });
  mkdirSync(mesh, { recursive: true, mode: 0o700 });
  for (const part of ['bookinfo', 'shop']) cpSync(join(samples, part), join(mesh, part), { recursive: true });
  cpSync(join(samples, 'bookinfo-rules', 'subsets.yaml'), join(mesh, 'bookinfo', 'subsets.yaml'));
  return { mesh, run: join(home, 'run') };
}
