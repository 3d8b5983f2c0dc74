import type { Logger } from 'pino';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { type JsonWebKeys, NO_USABLE_KEYS } from '../../mesh/model/json-web-keys.ts';
import type { RemoteKeys } from '../../mesh/model/request-authentication.ts';
import { type GetDocument, fetchKeys } from './fetch.ts';
import { type KnownKeys, describeLocation, locationOf } from './known.ts';
import { turnstile } from './turnstile.ts';

/** Keys with the time at which their issuer last gave them. */
export interface KeptKeys {
  readonly keys: JsonWebKeys;
  readonly fetchedAt: number;
}

/** Where keys outlive a restart, for when their issuer is away just then. */
export interface KeyStore {
  load(): ReadonlyMap<string, KeptKeys>;
  save(keys: ReadonlyMap<string, KeptKeys>): void;
}

export interface KeeperOptions {
  readonly get: GetDocument;
  readonly store: KeyStore;
  readonly clock: () => Date;
  /** Runs a task once after a time; the returned function cancels it. */
  readonly after: (ms: number, task: () => void) => () => void;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly refreshMs: number;
  /** Called after each change of what is known. */
  readonly onChange: () => void;
}

export interface KeysStatus {
  /** In words; not unique. */
  readonly location: string;
  readonly keys: number;
  readonly fetchedAt: number | undefined;
  readonly failures: number;
  readonly problem: string | undefined;
}

export interface KeyKeeper {
  /** What is wanted from now on. Keys that are not wanted any more are forgotten when they would be fetched again. */
  follow(sources: Iterable<RemoteKeys>): void;
  known(): KnownKeys;
  /** True while a source that is wanted has no keys and was not asked once. */
  pending(): boolean;
  /** Fulfilled once each source that is wanted now was asked once. */
  asked(): Promise<void>;
  status(): readonly KeysStatus[];
  close(): void;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** How long keys stay in use while their issuer is away, as with Istio. */
export const STALE_MS = 7 * 24 * 3_600_000;

/** Fetches at one time. */
const AT_ONCE = 8;

interface Entry {
  readonly source: RemoteKeys;
  readonly location: string;
  wanted: boolean;
  kept: KeptKeys | undefined;
  failures: number;
  problem: string | undefined;
  first: Promise<void>;
  answered: boolean;
  cancel: () => void;
}

/** Has the keys of token issuers and keeps them fresh. Whatever goes wrong, the last good ones stay in use for a week. */
export function keyKeeper(options: KeeperOptions): KeyKeeper {
  const { get, store, clock, after, random, log, refreshMs, onChange } = options;
  const stored = store.load();
  const entries = new Map<string, Entry>();
  const pass = turnstile(AT_ONCE);
  let known: KnownKeys | undefined;
  let closed = false;

  const isFresh = ({ fetchedAt }: KeptKeys): boolean => clock().getTime() - fetchedAt < STALE_MS;
  const changed = (): void => {
    known = undefined;
    if (!closed) onChange();
  };
  const save = (): void => {
    const kept = [...entries].flatMap(([key, entry]) => (entry.kept === undefined ? [] : [[key, entry.kept] as const]));
    store.save(new Map(kept));
  };

  const succeeded = (entry: Entry, keys: JsonWebKeys): void => {
    const where = { keys: entry.location };
    if (entry.problem !== undefined) log.info(where, 'the keys of a token issuer can be fetched again');
    if (keys === NO_USABLE_KEYS) log.warn(where, 'a token issuer publishes no usable key, so all its tokens are refused');
    const before = entry.kept?.keys;
    entry.kept = { keys, fetchedAt: clock().getTime() };
    entry.failures = 0;
    entry.problem = undefined;
    save();
    if (before === keys) return;
    if (before !== undefined) log.info(where, 'a token issuer has changed its keys');
    changed();
  };

  const failed = (entry: Entry, problem: string): void => {
    entry.failures += 1;
    if (entry.problem !== problem) {
      const use = entry.kept === undefined ? 'its tokens are refused' : 'the last good ones stay in use for a week';
      log.error({ keys: entry.location, problem }, `the keys of a token issuer cannot be fetched; ${use}`);
    }
    entry.problem = problem;
    if (entry.kept === undefined || isFresh(entry.kept)) return;
    log.error({ keys: entry.location }, 'a token issuer has been away for a week; its tokens are refused from now on');
    entry.kept = undefined;
    save();
    changed();
  };

  const schedule = (key: string, entry: Entry): void => {
    if (closed) return;
    const backOff = Math.min(FIRST_RETRY_MS * 2 ** (entry.failures - 1), LONGEST_RETRY_MS, refreshMs);
    // Spread, so that what began together does not stay together.
    const wait = entry.failures === 0 ? refreshMs * (1 - random() / 10) : backOff * (0.5 + random() / 2);
    entry.cancel = after(wait, () => {
      if (entry.wanted) return void attempt(key, entry);
      entries.delete(key);
      save();
    });
  };

  const attempt = async (key: string, entry: Entry): Promise<void> => {
    const found: Parsed<{ readonly keys: JsonWebKeys }> = await pass(() => fetchKeys(entry.source, get)).catch(
      (error: unknown) => ({ ok: false, reason: error instanceof Error ? error.message : String(error) }),
    );
    entry.answered = true;
    if (closed) return;
    if (found.ok) succeeded(entry, found.value.keys);
    else failed(entry, found.reason);
    schedule(key, entry);
  };

  const begin = (key: string, source: RemoteKeys): void => {
    const before = stored.get(key) ?? sameAddress(entries, source);
    const entry: Entry = {
      source,
      location: describeLocation(source),
      wanted: true,
      kept: before !== undefined && isFresh(before) ? before : undefined,
      failures: 0,
      problem: undefined,
      first: Promise.resolve(),
      answered: false,
      cancel: () => undefined,
    };
    entries.set(key, entry);
    entry.first = attempt(key, entry);
  };

  return {
    follow(sources) {
      const wanted = new Map([...sources].map((source) => [locationOf(source), source]));
      let different = false;
      for (const [key, entry] of entries) {
        if (entry.wanted !== wanted.has(key)) different = true;
        entry.wanted = wanted.has(key);
      }
      for (const [key, source] of wanted) {
        if (entries.has(key)) continue;
        different = true;
        begin(key, source);
      }
      if (different) known = undefined;
    },
    known() {
      known ??= new Map([...entries].flatMap(([key, { kept, wanted }]) => (wanted && kept ? [[key, kept.keys] as const] : [])));
      return known;
    },
    pending: () => [...entries.values()].some(({ wanted, kept, answered }) => wanted && !kept && !answered),
    async asked() {
      await Promise.all([...entries.values()].map(({ first }) => first));
    },
    status: () =>
      [...entries.values()]
        .filter(({ wanted }) => wanted)
        .map(({ location, kept, failures, problem }) => ({
          location,
          keys: kept === undefined ? 0 : countOf(kept.keys),
          fetchedAt: kept?.fetchedAt,
          failures,
          problem,
        })),
    close() {
      closed = true;
      for (const { cancel } of entries.values()) cancel();
    },
  };
}

/** What a rule knew before its time limit was changed. */
function sameAddress(entries: ReadonlyMap<string, Entry>, source: RemoteKeys): KeptKeys | undefined {
  const wanted = locationOf({ ...source, timeoutMs: 0 });
  for (const entry of entries.values())
    if (entry.kept !== undefined && locationOf({ ...entry.source, timeoutMs: 0 }) === wanted) return entry.kept;
  return undefined;
}

function countOf(keys: JsonWebKeys): number {
  const set: unknown = JSON.parse(keys);
  return typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys) ? set.keys.length : 0;
}
