import { join } from 'node:path';
import type { Logger } from 'pino';
import { systemAfter } from '../../../ca/federation/following.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type KeyKeeper, keyKeeper } from '../../../policy/jwks/keeper.ts';
import { locationOf } from '../../../policy/jwks/known.ts';
import { wantedKeys } from '../../../policy/jwks/wanted.ts';
import { httpDocument } from './http-get.ts';
import { findInMesh } from './in-mesh.ts';
import { keyFile } from './store.ts';

/** How long a start waits for keys: without them proxies would refuse tokens that they took before. */
const FIRST_WAIT_MS = 5_000;

export interface TokenKeysOptions {
  /** Where keys are kept over a restart. */
  readonly dir: string;
  readonly refreshMs: number;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly current: () => Snapshot;
  readonly onChange: () => void;
}

/** The keys of the token issuers that RequestAuthentications name, with a first answer from each that answers soon. */
export async function tokenKeys({ dir, refreshMs, clock, log, current, onChange }: TokenKeysOptions): Promise<KeyKeeper> {
  const keeper = keyKeeper({
    get: httpDocument(findInMesh(current)),
    store: keyFile(join(dir, 'jwks-cache.json'), clock, log),
    clock,
    after: systemAfter,
    random: Math.random,
    log,
    refreshMs,
    onChange,
  });
  const wanted = wantedKeys(current());
  keeper.follow(wanted);
  if (wanted.every((source) => keeper.known().has(locationOf(source)))) return keeper;
  let stop = (): void => undefined;
  const waited = new Promise<void>((resolve) => (stop = systemAfter(FIRST_WAIT_MS, resolve)));
  await Promise.race([keeper.asked(), waited]);
  stop();
  return keeper;
}
