import type { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { keyFilesOf } from '../key-store/open.ts';
import { parseBundle } from '../root/chain.ts';
import { AuthorityError } from '../root/error.ts';
import type { Folder } from '../root/folder.ts';
import type { Validity } from '../sign/validity.ts';
import type { Every } from '../tls/credentials.ts';
import { finishRenewal, writeIntermediate } from './files.ts';
import { keysInFiles } from './key-place.ts';
import { renewalTime, retryDelay } from './renewal-time.ts';
import { newIntermediate, type RequestOptions } from './request.ts';

export interface KeeperOptions extends RequestOptions {
  readonly folder: Folder;
  /** The files of the root that signs now: another folder's once a rotation has led away from the upstream. */
  readonly signs?: (() => Folder) | undefined;
  readonly every: Every;
  /** Uniform in [0, 1): spreads renewals and retries. */
  readonly random: () => number;
  readonly log: Logger;
}

/** How the intermediate does, for metrics. */
export interface UpstreamState {
  readonly upstream: string;
  readonly notAfter: Date;
  readonly renewAt: Date;
  /** Failed renewals since the last that worked. */
  readonly failures: number;
  readonly renewals: number;
}

export interface IntermediateKeeper {
  state(): UpstreamState;
  close(): void;
}

const FIRST_TRIES = 4;
const LOOK_EVERY_MS = 30_000;

/**
 * Before the authority opens: finishes an interrupted renewal, and asks for an intermediate where the folder is empty, or where the one in it
 * ended while nobody was there to renew it.
 */
export async function ensureIntermediate(options: Omit<KeeperOptions, 'every'>): Promise<void> {
  const { folder, upstream, log, random } = options;
  await finishRenewal(folder);
  const [key = folder.key] = keyFilesOf(folder);
  const present = [key, folder.certificate, folder.roots].filter((path) => existsSync(path));
  let trusted: readonly X509Certificate[] | undefined;
  if (present.length > 0) {
    // Files that are missing are for the authority to complain of.
    if (present.length < 3) return;
    const [issuing] = (await certificatesAt(folder.certificate)) ?? [];
    if (issuing === undefined) return;
    refuseOwnRoot(issuing, folder);
    if (options.clock() < issuing.validToDate) return;
    log.warn({ upstream: upstream.name, notAfter: issuing.validToDate }, 'the intermediate has ended; a new one is asked for');
    trusted = (await certificatesAt(folder.roots)) ?? [];
  }
  const soon = { notBefore: new Date(0), notAfter: new Date(2_000_000) };
  for (let failures = 1; ; failures++) {
    const made = await newIntermediate(options, trusted);
    if (made.ok) {
      await removeUnused(options, await writeIntermediate(folder, made.value, trusted === undefined));
      log.info({ upstream: upstream.name, notAfter: made.value.notAfter }, 'the upstream signed an intermediate');
      return;
    }
    const { code, reason } = made.refusal;
    if (code !== 'unavailable' || failures === FIRST_TRIES)
      throw new AuthorityError(`no intermediate from ${upstream.name}: ${reason}`);
    log.warn({ upstream: upstream.name, reason }, 'the upstream did not sign an intermediate; trying again');
    await pause(retryDelay(failures, soon, random));
  }
}

/** The token need not hold keys of intermediates that were renewed twice since. Where it cannot be reached they stay, which harms nobody. */
async function removeUnused(
  { keys = keysInFiles(), log, upstream }: Omit<KeeperOptions, 'every'>,
  uri: string | undefined,
): Promise<void> {
  if (uri === undefined) return;
  await keys.remove(uri).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ upstream: upstream.name, reason }, 'the key of a former intermediate could not be removed from the token');
  });
}

/** A self-signed root is not silently left for an upstream's: every workload would have to trust the new one first. */
function refuseOwnRoot(issuing: X509Certificate, { dir }: Folder): void {
  if (issuing.checkIssued(issuing))
    throw new AuthorityError(
      `${dir} holds a root of its own, and an upstream is given; start without --upstream, or with another --ca-dir`,
    );
}

async function certificatesAt(path: string): Promise<readonly X509Certificate[] | undefined> {
  const bundle = parseBundle(await readFile(path, 'utf8'));
  return bundle.ok ? bundle.value : undefined;
}

/**
 * Renews the intermediate in good time for as long as it runs. A failed renewal leaves everything as it is: the intermediate serves until
 * it ends, and the next try comes after a back-off. The authority sees new files by itself, as those of any plugged-in CA.
 */
export function keepIntermediate(options: KeeperOptions, current: Validity): IntermediateKeeper {
  const { folder, signs = () => folder, upstream, clock, random, log } = options;
  let validity = current;
  let renewAt = renewalTime(validity, random);
  let next = renewAt;
  let failures = 0;
  let renewals = 0;
  let busy = false;
  const failed = (reason: string): void => {
    failures += 1;
    next = new Date(clock().getTime() + retryDelay(failures, validity, random));
    log.warn(
      { upstream: upstream.name, reason, failures, notAfter: validity.notAfter, nextTry: next },
      'the intermediate is not renewed; the present one serves until it ends',
    );
  };
  const renew = async (): Promise<void> => {
    const here = signs();
    if (here.dir !== folder.dir) {
      log.warn({ upstream: upstream.name }, 'another root signs now; the intermediate is no longer renewed');
      stop();
      return;
    }
    const trusted = (await certificatesAt(here.roots)) ?? [];
    const made = await newIntermediate(options, trusted);
    if (!made.ok) return failed(made.refusal.reason);
    await removeUnused(options, await writeIntermediate(folder, made.value, false));
    // Counted from now: certificates are backdated, and one of short life would else be due at once.
    validity = { notBefore: clock(), notAfter: made.value.notAfter };
    renewAt = renewalTime(validity, random);
    next = renewAt;
    failures = 0;
    renewals += 1;
    log.info({ upstream: upstream.name, notAfter: validity.notAfter, renewAt }, 'the intermediate was renewed');
  };
  const life = validity.notAfter.getTime() - validity.notBefore.getTime();
  const stop = options.every(Math.min(Math.max(life / 500, 100), LOOK_EVERY_MS), () => {
    // A clock that was set back waits for no time in the far future.
    if (busy || (clock() < next && clock() >= validity.notBefore)) return;
    busy = true;
    renew()
      .catch((error: unknown) => failed(error instanceof Error ? error.message : String(error)))
      .finally(() => (busy = false));
  });
  return {
    state: () => ({ upstream: upstream.name, notAfter: validity.notAfter, renewAt, failures, renewals }),
    close: stop,
  };
}
