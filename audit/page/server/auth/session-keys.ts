import { type Parsed, parsed, refused } from '../../../../ca/identity/parsed.ts';

/** One of the keys with which sessions are sealed. */
export interface SessionKey {
  readonly key: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
}

export const KEY_BYTES = 32;
const MOST_KEYS = 16;
const HOUR_MS = 3_600_000;
/** The other replicas have a new key by then. */
const SHARED_AFTER_MS = 5 * 60_000;
const RENEWED_AFTER_MS = 7 * 24 * HOUR_MS;
/** Sessions last eight hours; after that nothing is sealed with a key that was replaced. */
const DROPPED_AFTER_MS = 9 * HOUR_MS;

function keyOf(text: string): Uint8Array | undefined {
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

/** A key in each line, base64; the first seals, all of them open: so keys are changed at replicas one after the other. */
export function parseKeyLines(text: string): Parsed<readonly Uint8Array[]> {
  const lines = text.split('\n').flatMap((line) => {
    const content = line.trim();
    return content === '' || content.startsWith('#') ? [] : [content];
  });
  if (lines.length === 0) return refused('it has no key (make one with: openssl rand -base64 32)');
  if (lines.length > MOST_KEYS) return refused(`it has more than ${MOST_KEYS} keys`);
  const keys: Uint8Array[] = [];
  for (const [at, line] of lines.entries()) {
    const key = keyOf(line);
    // Never the line itself.
    if (key === undefined)
      return refused(`key ${at + 1} is not ${KEY_BYTES} bytes in base64 (make one with: openssl rand -base64 32)`);
    keys.push(key);
  }
  return parsed(keys);
}

/** What replicas share, as JSON. */
export function sessionKeysText(keys: readonly SessionKey[]): string {
  return JSON.stringify({
    keys: keys.map(({ key, madeAt }) => ({ key: Buffer.from(key).toString('base64'), madeAt: new Date(madeAt).toISOString() })),
  });
}

export function parseSessionKeys(text: string): Parsed<readonly SessionKey[]> {
  const wrong = refused('it does not hold keys of sessions (delete it: new ones are made, and everybody signs in again)');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return wrong;
  }
  if (typeof content !== 'object' || content === null || !('keys' in content) || !Array.isArray(content.keys)) return wrong;
  const list: readonly unknown[] = content.keys;
  if (list.length === 0 || list.length > MOST_KEYS) return wrong;
  const keys: SessionKey[] = [];
  for (const one of list) {
    if (typeof one !== 'object' || one === null || !('key' in one) || !('madeAt' in one)) return wrong;
    const key = typeof one.key === 'string' ? keyOf(one.key) : undefined;
    const madeAt = typeof one.madeAt === 'string' ? Date.parse(one.madeAt) : Number.NaN;
    if (key === undefined || Number.isNaN(madeAt)) return wrong;
    keys.push({ key, madeAt });
  }
  return parsed(keys);
}

/** As they are to be from now on; undefined: as they are. */
export function nextSessionKeys(
  keys: readonly SessionKey[],
  now: number,
  newKey: () => Uint8Array,
): readonly SessionKey[] | undefined {
  const ordered = keys.toSorted((a, b) => a.madeAt - b.madeAt);
  const newest = ordered.at(-1);
  const due = newest === undefined || now - newest.madeAt >= RENEWED_AFTER_MS;
  // One that was replaced long enough ago opens nothing that still counts.
  const kept = ordered.filter((_, at) => {
    const after = ordered[at + 1];
    return after === undefined || now - after.madeAt < SHARED_AFTER_MS + DROPPED_AFTER_MS;
  });
  if (!due && kept.length === keys.length) return undefined;
  return due ? [...kept, { key: newKey(), madeAt: now }] : kept;
}

/** The one that seals now comes first: a new one only when all replicas have it. */
export function inUse(keys: readonly SessionKey[], now: number): readonly Uint8Array[] {
  const ordered = keys.toSorted((a, b) => b.madeAt - a.madeAt);
  const sealing = ordered.find(({ madeAt }) => now - madeAt >= SHARED_AFTER_MS) ?? ordered.at(-1);
  return sealing === undefined ? [] : [sealing.key, ...ordered.filter((one) => one !== sealing).map(({ key }) => key)];
}
