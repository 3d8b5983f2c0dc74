import { createLocalJWKSet } from 'jose';
import type { Logger } from 'pino';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { type KeySet, type KeySource, parseKeySet } from './jwks.ts';

export interface RemoteKeysOptions {
  /** The JWK Set as text. Bounded in time and size by whoever gives it. */
  readonly fetchKeys: () => Promise<Parsed<string>>;
  readonly log: Logger;
  /** Milliseconds, monotonic. */
  readonly clock?: () => number;
}

const MINUTE = 60_000;
/** Keys older than this are fetched again, while the old ones stay in use; after twice that time callers wait for the new ones. */
const REFRESH_MS = 5 * MINUTE;
/** Between two attempts, whatever asks for them: a flood of tokens with invented key ids must not become a flood of requests. */
const PAUSE_MS = 10_000;
/** How long keys stay in use while their issuer is away. */
const STALE_MS = 24 * 60 * MINUTE;

/** The keys that an issuer publishes, kept and fetched again: in time, and when a token names a key that is not among them. */
export function remoteKeys({ fetchKeys, log, clock = () => performance.now() }: RemoteKeysOptions): KeySource {
  let held: { readonly keys: KeySet; readonly text: string } | undefined;
  let [generation, fetched, tried] = [0, -Infinity, -Infinity];
  let problem: string | undefined;
  let running: Promise<void> | undefined;

  const fetchOnce = async () => {
    const text = await fetchKeys();
    const set = text.ok ? parseKeySet(text.value) : text;
    if (!text.ok || !set.ok) {
      const reason = set.ok ? '' : set.reason;
      if (reason !== problem)
        log.error({ problem: reason }, 'the token keys cannot be fetched; the last good ones stay in force for a day');
      problem = reason;
      return;
    }
    if (problem !== undefined) log.info('the token keys can be fetched again');
    problem = undefined;
    fetched = clock();
    if (held?.text === text.value) return;
    held = { keys: createLocalJWKSet(set.value), text: text.value };
    generation++;
  };
  /** Undefined where it is too early to try again. */
  const attempt = (): Promise<void> | undefined => {
    if (running === undefined && clock() - tried >= PAUSE_MS) {
      tried = clock();
      running = fetchOnce().finally(() => (running = undefined));
    }
    return running;
  };
  return {
    // Without keys no token verifies: `fresh` says so before.
    current: () => ({ keys: held?.keys ?? NO_KEYS, generation }),
    async fresh() {
      const age = clock() - fetched;
      const attempted = age >= REFRESH_MS ? attempt() : undefined;
      if (age >= 2 * REFRESH_MS) await attempted;
      if (held === undefined) return refused('the keys of the token issuer could not be fetched yet');
      return clock() - fetched < STALE_MS ? parsed(undefined) : refused('the token issuer has been away for too long');
    },
    async missed() {
      const before = generation;
      await attempt();
      return generation !== before;
    },
  };
}

const NO_KEYS: KeySet = createLocalJWKSet({ keys: [] });
