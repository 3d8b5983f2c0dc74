import type { Logger } from 'pino';
import { AuthorityError } from '../root/error.ts';
import type { Every } from '../tls/credentials.ts';
import type { JwtKey } from './key.ts';
import type { JwtKeyStore } from './key-file.ts';
import { newKeyDue, rotate, type RotationRules, signingKey } from './rotation.ts';

/** The keys of JWT-SVIDs, rotated on time. */
export interface JwtKeys {
  /** The key that signs now. */
  signing(): JwtKey;
  /** All published ones. */
  published(): readonly JwtKey[];
  close(): Promise<void>;
}

export interface JwtKeysOptions {
  readonly store: JwtKeyStore;
  readonly rules: RotationRules;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

/** Of replicas that make a key at the same moment one wins at each try. */
const TRIES = 10;

/**
 * Loads the keys, or makes the first one. A key that is not on disk is never published: after a crash it would be unknown. Where replicas share
 * them, what is kept is read again before each change, and whoever was overtaken takes what the other made.
 */
export async function openJwtKeys({ store, rules, clock, every, log }: JwtKeysOptions): Promise<JwtKeys> {
  let keys = await store.load();
  let turn: Promise<void> = Promise.resolve();
  const take = (next: readonly JwtKey[]): void => {
    const before = new Set(keys.map(({ kid }) => kid));
    keys = next;
    for (const { kid, activeFrom } of next)
      if (!before.has(kid)) log.info({ kid, activeFrom: new Date(activeFrom) }, 'a new key for JWT-SVIDs is published');
  };
  /** What the others made. A key that is known already stays the same object. */
  const reload = async (): Promise<void> => {
    const stored = await store.load();
    // Deleted by somebody: what was given out is still to be verified.
    if (stored.length === 0) return;
    const own = new Map(keys.map((key) => [key.kid, key]));
    const next = stored.map((key) => own.get(key.kid) ?? key);
    if (next.length !== keys.length || next.some((key, at) => key !== keys[at])) take(next);
  };
  const look = async (): Promise<void> => {
    for (let tries = 0; tries < TRIES; tries++) {
      const now = clock().getTime();
      const due = newKeyDue(keys, now, rules);
      const made = due === undefined ? undefined : await store.make(due);
      const next = rotate(keys, now, rules, () => made ?? never());
      if (next === keys) return;
      if (!(await store.save(next))) {
        if (made !== undefined) await store.retire(made);
        await reload();
        continue;
      }
      const gone = keys.filter((key) => !next.includes(key));
      take(next);
      for (const key of gone)
        await store.retire(key).catch((error: unknown) => {
          log.warn({ kid: key.kid, error: String(error) }, 'a key for JWT-SVIDs that is not used any more is still in its token');
        });
      return;
    }
    throw new AuthorityError('other replicas change the keys for JWT-SVIDs all the time; try again');
  };
  await look();
  const inTurn = (task: () => Promise<void>, failed: string): void => {
    turn = turn.then(task).catch((error: unknown) => log.error({ error: String(error) }, failed));
  };
  const stopFollowing = store.follow?.(() =>
    inTurn(reload, 'the keys for JWT-SVIDs that another replica made cannot be read; the known ones go on'),
  );
  const stop = every(lookEvery(rules), () => inTurn(look, 'the keys for JWT-SVIDs cannot be rotated; the present ones go on'));
  return {
    signing() {
      const key = signingKey(keys, clock().getTime());
      if (key === undefined) throw new Error('there is no key for JWT-SVIDs');
      return key;
    },
    published: () => keys,
    async close() {
      stop();
      stopFollowing?.();
      await turn;
      for (const { signer } of keys) await signer.close?.();
    },
  };
}

function never(): never {
  throw new Error('a key is due that was not made; this is a bug');
}

/** Often enough that a key is published for nearly all of its lead. */
function lookEvery({ leadMs, keepMs }: RotationRules): number {
  return Math.max(100, Math.min(60_000, leadMs / 10, keepMs / 10));
}
