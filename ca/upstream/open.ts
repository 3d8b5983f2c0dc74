import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { DEFAULT_KEY_TYPE } from '../key-store/key-type.ts';
import type { Folder } from '../root/folder.ts';
import type { NewKey } from '../root/new.ts';
import { readRotation } from '../rotation/file.ts';
import { generationFolder } from '../rotation/generation.ts';
import { signing } from '../rotation/state.ts';
import type { Validity } from '../sign/validity.ts';
import type { Every } from '../tls/credentials.ts';
import { ensureIntermediate, type IntermediateKeeper, keepIntermediate } from './keeper.ts';
import { keysInFiles, keysInToken } from './key-place.ts';
import type { Upstream } from './upstream.ts';

/** What an authority needs to have its intermediates signed above. */
export interface UpstreamSettings {
  readonly upstream: Upstream;
  /** Asked for; the upstream may give less. */
  readonly ttlSeconds: number;
}

export interface OpenUpstreamOptions extends UpstreamSettings {
  readonly folder: Folder;
  readonly trustDomain: TrustDomain;
  readonly key: NewKey | undefined;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

/**
 * Makes sure, before an authority opens its folder, that there is an intermediate in it; gives how to keep it fresh from then on. Undefined
 * where a rotation has led away from the upstream: then another root signs, and the upstream is not asked.
 */
export async function openUpstream(
  options: OpenUpstreamOptions,
): Promise<((signs: () => Folder, current: Validity) => IntermediateKeeper) | undefined> {
  const { folder, key = {}, upstream, log } = options;
  const rotation = await readRotation(folder.dir);
  if (rotation !== undefined && signing(rotation.state) !== 0) {
    log.warn({ upstream: upstream.name }, 'the root was rotated to one of its own; the upstream is not asked');
    return undefined;
  }
  // Where a rotation has begun, root-cert.pem is the trust bundle, and the upstream's roots are elsewhere.
  const here = rotation === undefined ? folder : generationFolder(folder.dir, 0);
  // Without a key store given anew, keys stay where the last one is.
  const store = key.store ?? (existsSync(here.keyUri) ? (await readFile(here.keyUri, 'utf8')).trim() : undefined);
  const settings = {
    ...options,
    folder: here,
    keyType: key.type ?? DEFAULT_KEY_TYPE,
    keys: store === undefined ? keysInFiles(key.passphrase) : keysInToken(store),
    random: Math.random,
  };
  await ensureIntermediate(settings);
  return (signs, current) => keepIntermediate({ ...settings, signs }, current);
}
