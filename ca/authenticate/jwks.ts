import { statSync, readFileSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose';
import type { Logger } from 'pino';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

export type KeySet = ReturnType<typeof createLocalJWKSet>;

/** Where the public keys of a token issuer come from. `generation` grows with every change. */
export interface KeySource {
  current(): { readonly keys: KeySet; readonly generation: number };
  /** To be awaited before the keys are used: fetches them when it is time; says why there are none that may be used. */
  fresh?(): Promise<Parsed<undefined>>;
  /** A token named a key that is not there: looks for it, within limits. True when the keys changed. */
  missed?(): Promise<boolean>;
}

const LARGEST = 1024 * 1024;
const CHECK_EVERY_MS = 500;
const KEY_TYPES: readonly string[] = Object.freeze(['EC', 'RSA', 'OKP']);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPublicKey(value: unknown): value is JWK {
  return isObject(value) && typeof value['kty'] === 'string' && KEY_TYPES.includes(value['kty']) && !('d' in value);
}

/** Parses a JWK Set (RFC 7517). Symmetric and private keys do not belong there and make the whole file unusable. */
export function parseKeySet(text: string): Parsed<JSONWebKeySet> {
  if (text.length > LARGEST) return refused('it is larger than 1 MiB');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('it is not JSON');
  }
  const keys = isObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length === 0) return refused('it has no "keys"');
  const usable = keys.filter(isPublicKey);
  if (usable.length !== keys.length) return refused('it holds keys that are not public EC, RSA or OKP keys');
  return parsed({ keys: usable });
}

/**
 * The keys of a file, read again when the file changed (looked at when used, at most twice a second). A file that became
 * unreadable or wrong leaves the last good keys in force, with an error in the log.
 */
export function keySetFile(path: string, log: Logger, clock: () => number = () => performance.now()): Parsed<KeySource> {
  let [seen, generation, checked] = ['', 0, clock()];
  let complaint: string | undefined;
  let keys: KeySet | undefined;
  const load = (): string | undefined => {
    try {
      const { mtimeMs, size, ino } = statSync(path);
      const stamp = `${ino}/${mtimeMs}/${size}`;
      if (stamp === seen) return undefined;
      if (size > LARGEST) return 'it is larger than 1 MiB';
      const set = parseKeySet(readFileSync(path, 'utf8'));
      seen = stamp;
      if (!set.ok) return set.reason;
      keys = createLocalJWKSet(set.value);
      generation++;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const reason = load();
  const first = keys;
  if (reason !== undefined || first === undefined) return refused(`${path}: ${reason ?? 'no keys'}`);
  return parsed({
    current() {
      if (clock() - checked >= CHECK_EVERY_MS) {
        checked = clock();
        const problem = load();
        const before = complaint;
        complaint = problem;
        if (problem !== undefined && problem !== before)
          log.error({ path, problem }, 'the token keys cannot be read; the last good ones stay in force');
      }
      return { keys: keys ?? first, generation };
    },
  });
}
