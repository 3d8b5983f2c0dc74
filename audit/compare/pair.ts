import type { EdgeKey } from '../model/edge.ts';
import type { Protocol } from '../model/record.ts';
import { wouldBeDenied } from '../report/reason.ts';
import type { Line } from '../report/report.ts';

/**
 * What makes calls of two periods the same edge. Addresses of callers without an identity are left out, since they come and go with pods;
 * so is what was decided, since that is what is compared.
 */
export interface PairKey {
  readonly sourcePrincipal: string;
  readonly sourceWorkload: string;
  readonly destinationPrincipal: string;
  readonly destinationWorkload: string;
  readonly service: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Empty where pairs are compared whole, not by what is called. */
  readonly method: string;
  readonly path: string;
}

export type Detail = 'pair' | 'path';

/** What became of calls; sorted, each at most once. */
export type Outcome = 'allowed' | 'denied' | 'would-be-denied' | 'unreached';
export type Encryption = 'mTLS' | 'plain' | 'mTLS and plain' | 'none arrived';

/** The calls of a pair in one period. */
export interface PairTally {
  readonly calls: number;
  readonly allowed: number;
  readonly denied: number;
  readonly wouldBeDenied: number;
  readonly unreached: number;
  readonly mtls: number;
  readonly plainText: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

function pairKey(key: EdgeKey, detail: Detail): PairKey {
  const { sourcePrincipal, sourceWorkload, destinationPrincipal, destinationWorkload, service, port, protocol } = key;
  return {
    sourcePrincipal,
    sourceWorkload,
    destinationPrincipal,
    destinationWorkload,
    service,
    port,
    protocol,
    method: detail === 'path' ? key.method : '',
    path: detail === 'path' ? key.path : '',
  };
}

function pairText(key: PairKey): string {
  return JSON.stringify([
    key.sourceWorkload,
    key.sourcePrincipal,
    key.destinationWorkload,
    key.destinationPrincipal,
    key.service,
    key.port,
    key.protocol,
    key.path,
    key.method,
  ]);
}

function tally({ key, tally: { count, firstSeen, lastSeen } }: Line): PairTally {
  const unreached = key.verdict === 'unreached';
  const denied = key.decision === 'DENY';
  const would = wouldBeDenied(key);
  return {
    calls: count,
    allowed: unreached || denied || would ? 0 : count,
    denied: denied ? count : 0,
    wouldBeDenied: would ? count : 0,
    unreached: unreached ? count : 0,
    mtls: key.mtls && !unreached ? count : 0,
    plainText: !key.mtls && !unreached ? count : 0,
    firstSeen,
    lastSeen,
  };
}

function sum(one: PairTally, other: PairTally): PairTally {
  return {
    calls: one.calls + other.calls,
    allowed: one.allowed + other.allowed,
    denied: one.denied + other.denied,
    wouldBeDenied: one.wouldBeDenied + other.wouldBeDenied,
    unreached: one.unreached + other.unreached,
    mtls: one.mtls + other.mtls,
    plainText: one.plainText + other.plainText,
    firstSeen: Math.min(one.firstSeen, other.firstSeen),
    lastSeen: Math.max(one.lastSeen, other.lastSeen),
  };
}

export interface Pair {
  readonly key: PairKey;
  readonly tally: PairTally;
}

/** The pairs of a report, by a text that tells them apart. */
export function pairsOf(lines: readonly Line[], detail: Detail): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const line of lines) {
    const key = pairKey(line.key, detail);
    const at = pairText(key);
    const known = pairs.get(at);
    pairs.set(at, { key, tally: known === undefined ? tally(line) : sum(known.tally, tally(line)) });
  }
  return pairs;
}

export function outcomesOf({ allowed, denied, wouldBeDenied: would, unreached }: PairTally): readonly Outcome[] {
  return [
    ...(allowed > 0 ? (['allowed'] as const) : []),
    ...(denied > 0 ? (['denied'] as const) : []),
    ...(would > 0 ? (['would-be-denied'] as const) : []),
    ...(unreached > 0 ? (['unreached'] as const) : []),
  ];
}

export function encryptionOf({ mtls, plainText }: PairTally): Encryption {
  if (mtls > 0) return plainText > 0 ? 'mTLS and plain' : 'mTLS';
  return plainText > 0 ? 'plain' : 'none arrived';
}
