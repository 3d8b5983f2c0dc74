import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../up/process-id.ts';
import { readState, runDirAt } from '../up/run-dir.ts';

export interface TourFolder {
  /** The mesh's YAML, for people to change while it runs. */
  readonly mesh: string;
  readonly run: string;
}

/** What the last tour recorded and decided; the authority stays. Nothing while another `up` is at work there, which is told of later. */
function forget(run: string): void {
  const dir = runDirAt(run);
  const { auditDb, ca } = dir;
  const before = readState(dir);
  if (before !== undefined && isAlive(before.owner)) return;
  for (const path of [auditDb, `${auditDb}-wal`, `${auditDb}-shm`, join(ca, 'rollouts')])
    rmSync(path, { recursive: true, force: true });
}

/** A fresh copy of the samples under `home`, so that the tour may be changed without changing the samples. */
export function tourFolder(home: string, samples: string): TourFolder {
  const mesh = join(home, 'mesh');
  rmSync(mesh, { recursive: true, force: true });
  mkdirSync(mesh, { recursive: true, mode: 0o700 });
  for (const part of ['bookinfo', 'shop']) cpSync(join(samples, part), join(mesh, part), { recursive: true });
  // The shop gets its policies on the tour.
  for (const file of ['policies.yaml', 'strict-mtls.yaml', 'shop.policy-test.yaml']) rmSync(join(mesh, 'shop', file));
  cpSync(join(samples, 'bookinfo-rules', 'subsets.yaml'), join(mesh, 'bookinfo', 'subsets.yaml'));
  const run = join(home, 'run');
  forget(run);
  return { mesh, run };
}
