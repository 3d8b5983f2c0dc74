import { existsSync } from 'node:fs';
import { hex } from '../der/read.ts';
import { type LoggedIssuance, readLog } from '../log/read.ts';
import type { InUse } from './state.ts';

export interface InUseOf {
  readonly old: InUse;
  readonly next: InUse;
}

/** Counts the certificates that may be in use, by the key identifiers of the two CAs. */
export type FindInUse = (issuers: { readonly old: Uint8Array; readonly next: Uint8Array }, now: Date) => Promise<InUseOf>;

/**
 * Which certificates of each CA may still be in use, as the issuance log tells: neither over, nor replaced by one that was
 * asked for with it. Records without an issuer are from before rotation was known, so of the old one. The control plane's
 * own certificates do not count: it replaces them itself. Over the logs of all replicas: what one issued another may have replaced.
 */
export function inUseInLogs(paths: () => Promise<readonly string[]>): FindInUse {
  return async (issuers, now) => {
    const alive = new Alive(now);
    for (const path of await paths())
      if (existsSync(path)) for await (const record of readLog(path)) if (record.kind === 'issuance') alive.add(record);
    return alive.of(issuers);
  };
}

export function inUse(
  issuances: readonly LoggedIssuance[],
  issuers: { readonly old: Uint8Array; readonly next: Uint8Array },
  now: Date,
): InUseOf {
  const alive = new Alive(now);
  for (const issuance of issuances) alive.add(issuance);
  return alive.of(issuers);
}

/** The longest that `gatehouse serve` lets a certificate live: what replaced one earlier replaced one that is over. */
const LONGEST_LIFE_MS = 7 * 24 * 3600 * 1000;

/**
 * The certificates that may be in use, taken up in the order of the log. Only those are held: a log of years is read in the
 * memory of a day. One that was shown to get another stands in the log before that other.
 */
class Alive {
  readonly #now: number;
  readonly #bySerial = new Map<string, LoggedIssuance>();
  readonly #replaced = new Set<string>();

  constructor(now: Date) {
    this.#now = now.getTime();
  }

  add(issuance: LoggedIssuance): void {
    const { outcome, evidence, notAfter, serial } = issuance;
    if (outcome === 'issued' && evidence.serial !== undefined && !this.#bySerial.delete(evidence.serial)) {
      // Its own result may be missing, after a crash; then it comes at the end.
      if (Date.parse(issuance.time) > this.#now - LONGEST_LIFE_MS) this.#replaced.add(evidence.serial);
    }
    if (this.#replaced.has(serial) || outcome === 'withheld' || evidence.kind === 'self' || Date.parse(notAfter) <= this.#now)
      return;
    this.#bySerial.set(serial, issuance);
  }

  of(issuers: { readonly old: Uint8Array; readonly next: Uint8Array }): InUseOf {
    const next = hex(issuers.next);
    const alive = [...this.#bySerial.values()];
    return {
      old: summary(alive.filter(({ issuer }) => issuer !== next)),
      next: summary(alive.filter(({ issuer }) => issuer === next)),
    };
  }
}

function summary(issuances: readonly LoggedIssuance[]): InUse {
  if (issuances.length === 0) return { count: 0, until: undefined, identities: [] };
  const names = new Set(issuances.map((issuance) => issuance.names.replace(/^URI:/, '')));
  return {
    count: issuances.length,
    until: new Date(issuances.reduce((latest, { notAfter }) => Math.max(latest, Date.parse(notAfter)), 0)),
    identities: [...names].sort(),
  };
}
