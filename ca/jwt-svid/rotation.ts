import type { JwtKey } from './key.ts';

export interface RotationRules {
  /** How long a key signs before the next takes over. */
  readonly periodMs: number;
  /** How long a key is published before it signs: longer than any verifier keeps a key set without asking again. */
  readonly leadMs: number;
  /** How long a key stays published after it stopped signing: longer than the last token that it signed lives. */
  readonly keepMs: number;
}

/**
 * What the keys must be at a moment; the same array when nothing changes. Keys are in the order of `activeFrom`. A key
 * goes through: published, signing, published still, gone. After a long sleep the old key goes on signing until its
 * successor has been published for as long as always.
 * @param make makes a key that signs from the given moment
 */
export function rotate(
  keys: readonly JwtKey[],
  now: number,
  rules: RotationRules,
  make: (activeFrom: number) => JwtKey,
): readonly JwtKey[] {
  const due = newKeyDue(keys, now, rules);
  const grown = due === undefined ? keys : [...keys, make(due)];
  const kept = grown.filter((_, index) => {
    const successor = grown[index + 1];
    return successor === undefined || now < successor.activeFrom + rules.keepMs;
  });
  return kept.length === grown.length ? grown : kept;
}

/** From when a key must sign that has to be made now; undefined while none has to be. */
export function newKeyDue(keys: readonly JwtKey[], now: number, rules: RotationRules): number | undefined {
  const newest = keys.at(-1);
  // The first key has no predecessor whose tokens anyone could know, so nobody has an older key set.
  if (newest === undefined) return now;
  const next = newest.activeFrom + rules.periodMs;
  return now >= next - rules.leadMs ? Math.max(next, now + rules.leadMs) : undefined;
}

/** The key that signs now: the last that is active. Where the clock was set back behind all of them, the oldest. */
export function signingKey(keys: readonly JwtKey[], now: number): JwtKey | undefined {
  return keys.findLast(({ activeFrom }) => activeFrom <= now) ?? keys[0];
}

/** When `rotate` must be asked next, in milliseconds since the epoch. */
export function nextRotation(keys: readonly JwtKey[], rules: RotationRules): number {
  const newest = keys.at(-1);
  if (newest === undefined) return 0;
  const retirements = keys.slice(1).map(({ activeFrom }) => activeFrom + rules.keepMs);
  return Math.min(newest.activeFrom + rules.periodMs - rules.leadMs, ...retirements);
}
