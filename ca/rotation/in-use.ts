import { existsSync } from 'node:fs';
import { hex } from '../der/read.ts';
import { type LoggedIssuance, readIssuanceLog } from '../log/read.ts';
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
 * own certificates do not count: it replaces them itself.
 */
export function inUseInLog(path: string): FindInUse {
  return async (issuers, now) => {
    if (!existsSync(path)) return inUse([], issuers, now);
    const { issuances } = await readIssuanceLog(path);
    return inUse(issuances, issuers, now);
  };
}

export function inUse(
  issuances: readonly LoggedIssuance[],
  issuers: { readonly old: Uint8Array; readonly next: Uint8Array },
  now: Date,
): InUseOf {
  const time = now.getTime();
  const replaced = new Set(
    issuances.flatMap(({ outcome, evidence }) =>
      outcome === 'issued' && evidence.serial !== undefined ? [evidence.serial] : [],
    ),
  );
  const alive = issuances.filter(
    ({ outcome, notAfter, serial, evidence }) =>
      outcome !== 'withheld' && evidence.kind !== 'self' && Date.parse(notAfter) > time && !replaced.has(serial),
  );
  const next = hex(issuers.next);
  return {
    old: summary(alive.filter(({ issuer }) => issuer !== next)),
    next: summary(alive.filter(({ issuer }) => issuer === next)),
  };
}

function summary(issuances: readonly LoggedIssuance[]): InUse {
  if (issuances.length === 0) return { count: 0, until: undefined, identities: [] };
  const names = new Set(issuances.map((issuance) => issuance.names.replace(/^URI:/, '')));
  return {
    count: issuances.length,
    until: new Date(Math.max(...issuances.map(({ notAfter }) => Date.parse(notAfter)))),
    identities: [...names].sort(),
  };
}
