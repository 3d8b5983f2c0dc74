import type { Logger } from 'pino';
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

/** Loads the keys, or makes the first one. A key that is not on disk is never published: after a crash it would be unknown. */
export async function openJwtKeys({ store, rules, clock, every, log }: JwtKeysOptions): Promise<JwtKeys> {
  let keys = await store.load();
  let turn: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const now = clock().getTime();
    const due = newKeyDue(keys, now, rules);
    const made = due === undefined ? undefined : await store.make(due);
    const next = rotate(keys, now, rules, () => made ?? never());
    if (next === keys) return;
    await store.save(next);
    const gone = keys.filter((key) => !next.includes(key));
    const before = new Set(keys.map(({ kid }) => kid));
    keys = next;
    for (const { kid, activeFrom } of next)
      if (!before.has(kid)) log.info({ kid, activeFrom: new Date(activeFrom) }, 'a new key for JWT-SVIDs is published');
    for (const key of gone)
      await store.retire(key).catch((error: unknown) => {
        log.warn({ kid: key.kid, error: String(error) }, 'a key for JWT-SVIDs that is not used any more is still in its token');
      });
  };
  await look();
  const stop = every(lookEvery(rules), () => {
    turn = turn.then(look).catch((error: unknown) => {
      log.error({ error: String(error) }, 'the keys for JWT-SVIDs cannot be rotated; the present ones go on');
    });
  });
  return {
    signing() {
      const key = signingKey(keys, clock().getTime());
      if (key === undefined) throw new Error('there is no key for JWT-SVIDs');
      return key;
    },
    published: () => keys,
    async close() {
      stop();
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
