import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import type { Issuer } from '../sign/issuer.ts';
import type { Every } from '../tls/credentials.ts';
import type { RevocationStore } from './file.ts';
import type { FindIssued, IssuedCertificate } from './issued.ts';
import { knownIssuers } from './issuers.ts';
import {
  listedCertificates,
  pruned,
  type RevocationList,
  type RevokedPeers,
  revokedPeers,
  withEntry,
  withoutTarget,
} from './list.ts';
import { otherCrls, publishCrls } from './publish.ts';
import { isTarget, type Revocation, type RevocationRecord, type RevocationTarget, targetText } from './revocation.ts';

export interface CrlPublisher {
  /** Every CA of ours under which certificates may still be valid; asked anew for each list. */
  readonly issuers: () => readonly Issuer[];
  /** The longest lifetime that is given. */
  readonly lifetimeSeconds: number;
  /** Where lists of other CAs under the same roots may be. */
  readonly othersFile: string;
}

export interface RevocationsOptions {
  readonly store: RevocationStore;
  readonly findIssued: FindIssued;
  /** Who signs the lists; without it none are made, and the list is only kept. */
  readonly publisher?: CrlPublisher | undefined;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

/** Why a peer must be refused, by its identity and the certificate it shows, or undefined. */
export type Revoked = (identity: SpiffeId, serial?: string) => string | undefined;

/** Who is cut off, kept on disk before anything follows from it. */
export interface Revocations {
  list(): readonly Revocation[];
  /** Resolves once it is on disk, in force here and published. Revoking again replaces reason and time. */
  revoke(target: RevocationTarget, why: Pick<RevocationRecord, 'reason' | 'by'>): Promise<Parsed<Revocation>>;
  /** Lifts a revocation; refused when there is none. */
  undo(target: RevocationTarget): Promise<Parsed<Revocation>>;
  readonly revoked: Revoked;
  /** The same object until something changes. */
  peers(): RevokedPeers;
  /** One list of each issuer, PEM; undefined while no certificate is revoked. The same text until something changes. */
  crlPem(): string | undefined;
  /** To be called when the issuers changed. */
  issuersChanged(): Promise<void>;
  /** To be called when another replica may have changed the list that all share. */
  storeChanged(): Promise<void>;
  onChange(listener: () => void): () => void;
  /** Resolves when no change is under way any more. */
  close(): Promise<void>;
}

/** Lists last for days; this is how soon one of others, or the end of an old intermediate, is noticed. */
const LOOK_EVERY_MS = 3_600_000;
/** What a search of the log may take before the denial goes out without it. */
const PATIENCE_MS = 100;
const DAY_MS = 24 * LOOK_EVERY_MS;

/** Opens the list of what is revoked. Rejects when it cannot be read. */
export async function openRevocations(options: RevocationsOptions): Promise<Revocations> {
  const { store, findIssued, publisher, clock, log } = options;
  let current = await store.load();
  let peers = revokedPeers(current);
  let index = indexOf(current);
  let crlPem: string | undefined;
  let changing: Promise<unknown> = Promise.resolve();
  let closed = false;
  let published = { at: 0, from: '' };
  const listeners = new Set<() => void>();

  const told = (): void => {
    for (const listener of listeners) listener();
  };
  /** One change after another; a failed one leaves all as it was. */
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const run = changing.then(() => {
      if (closed) throw new Error('the authority is closing');
      return task();
    });
    changing = run.catch(() => undefined);
    return run;
  };
  const sign = async (list: RevocationList, { issuers, othersFile }: CrlPublisher): Promise<true> => {
    try {
      const others = await otherCrls(othersFile, log);
      crlPem = await publishCrls(list, issuers(), others, clock(), log);
      published = { at: clock().getTime(), from: basis(list, issuers(), others) };
    } catch (error) {
      log.error(
        { error: String(error) },
        'the revocation list cannot be signed; the last one stays in force, and so does the denial',
      );
    }
    return true;
  };
  const take = (list: RevocationList): void => {
    current = list;
    index = indexOf(list);
    peers = samePeers(peers, revokedPeers(list));
  };
  /** On disk first. Certificates listed anew or no more make a new list with a new number. */
  const put = async (next: RevocationList, renew: boolean): Promise<void> => {
    const list = { ...next, crlNumber: renew && publisher !== undefined ? next.crlNumber + 1 : next.crlNumber };
    await store.save(list);
    take(list);
    const signing = renew && publisher !== undefined ? sign(list, publisher) : Promise.resolve(true);
    // A signer far away must not hold up the denial.
    if ((await within(signing, PATIENCE_MS)) === undefined) told();
    await signing;
    told();
  };

  /** What time and new issuers have changed. A new list is made when there is another thing to say, or when a day is over. */
  const look = async (): Promise<void> => {
    const now = clock();
    const list = pruned(current, now);
    if (publisher === undefined) return list === current ? undefined : put(list, false);
    const next = { ...list, issuers: knownIssuers(list.issuers, publisher.issuers(), publisher.lifetimeSeconds, now) };
    const others = await otherCrls(publisher.othersFile, log);
    const worth = next.entries.length > 0 || crlPem !== undefined || others !== '';
    const due = now.getTime() - published.at >= DAY_MS || basis(next, publisher.issuers(), others) !== published.from;
    const changed = list !== current || next.issuers !== current.issuers;
    if (changed || (worth && due)) await put(next, worth && due);
  };

  /** What another has saved is in force here without being saved again. */
  const reload = async (): Promise<void> => {
    const list = await store.load();
    if (JSON.stringify(list) === JSON.stringify(current)) return;
    take(list);
    told();
    if (publisher !== undefined) await sign(list, publisher);
    told();
  };

  await look();
  const stop = options.every(LOOK_EVERY_MS, () => {
    inTurn(look).catch((error: unknown) =>
      log.error({ error: String(error) }, 'the revocation list cannot be renewed; the last one stays in force'),
    );
  });

  /** Nothing is issued for it from the first moment, so that the search of the log misses nothing. Proxies need not wait for a long search. */
  const revokeIdentity = async (
    list: RevocationList,
    target: RevocationTarget & { readonly kind: 'identity' },
    record: RevocationRecord,
  ): Promise<Parsed<Revocation>> => {
    const entry = { ...target, certificates: [], ...record };
    index = indexOf(withEntry(list, entry));
    try {
      const now = Date.parse(record.time);
      const search = findIssued(target).catch((error: unknown): readonly IssuedCertificate[] => {
        log.error(
          { error: String(error) },
          'the issuance log cannot be searched: the identity is denied, but its certificates are in no list',
        );
        return [];
      });
      const quick = await within(search, PATIENCE_MS);
      if (quick === undefined) await put(withEntry(list, entry), false);
      const certificates = (await search).filter(valid(now)).map(({ serial, notAfter }) => ({ serial, notAfter }));
      const whole = { ...entry, certificates };
      await put(withEntry(quick === undefined ? current : list, whole), true);
      log.warn({ ...record, identity: target.identity, certificates: certificates.length }, 'an identity was revoked');
      return parsed(whole);
    } finally {
      index = indexOf(current);
    }
  };

  const revoke: Revocations['revoke'] = (target, why) =>
    inTurn(async () => {
      const now = clock();
      const record = { ...why, time: now.toISOString() };
      const list = pruned(current, now);
      if (target.kind === 'identity') return revokeIdentity(list, target, record);
      const [found] = await findIssued(target);
      if (found === undefined) return refused(`no certificate with the serial number ${target.serial} was issued here`);
      if (!valid(now.getTime())(found))
        return refused(`the certificate ${target.serial} has expired (${found.notAfter}): nobody takes it any more`);
      const entry = { kind: 'serial', ...found, ...record } as const;
      await put(withEntry(list, entry), true);
      log.warn(entry, 'a certificate was revoked');
      return parsed(entry);
    });

  return {
    list: () => current.entries,
    revoke,
    undo: (target) =>
      inTurn(async () => {
        const known = current.entries.find((entry) => isTarget(entry, target));
        if (known === undefined) return refused(`${targetText(target)} is not revoked`);
        await put(withoutTarget(pruned(current, clock()), target), true);
        log.warn({ ...known }, 'a revocation was lifted');
        return parsed(known);
      }),
    revoked(identity, serial) {
      const entry = index.get(identity) ?? (serial === undefined ? undefined : index.get(serial));
      if (entry === undefined) return undefined;
      const what = entry.kind === 'identity' ? entry.identity : `the certificate ${entry.serial}`;
      return `${what} was revoked at ${entry.time} (${entry.reason})`;
    },
    peers: () => peers,
    crlPem: () => crlPem,
    issuersChanged: () => inTurn(look),
    storeChanged: () => inTurn(reload),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      stop();
      await changing;
      closed = true;
      listeners.clear();
    },
  };
}

/** By SPIFFE ID and by serial number, which cannot be mistaken for each other. */
function indexOf({ entries }: RevocationList): ReadonlyMap<string, Revocation> {
  return new Map(entries.map((entry) => [entry.kind === 'identity' ? entry.identity : entry.serial, entry]));
}

function samePeers(before: RevokedPeers, after: RevokedPeers): RevokedPeers {
  const same = (one: readonly string[], other: readonly string[]) => one.join() === other.join();
  const alike = before.newest === after.newest && same(before.identities, after.identities);
  return alike && same(before.serials, after.serials) ? before : after;
}

/** What a promise gives, or undefined when it takes longer. Does not reject: whoever awaits the promise itself is told. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const patience = new AbortController();
  try {
    const late = pause(ms, undefined, { signal: patience.signal }).catch(() => undefined);
    return await Promise.race([promise.catch(() => undefined), late]);
  } finally {
    patience.abort();
  }
}

/** What a list says besides its times and number. */
function basis(list: RevocationList, issuers: readonly Issuer[], others: string): string {
  const signers = issuers.map(({ certificate }) => certificate.fingerprint256);
  const serials = listedCertificates(list).map(({ serial }) => serial);
  return createHash('sha256')
    .update(JSON.stringify([signers, list.issuers, serials, others]))
    .digest('hex');
}

function valid(now: number): (certificate: { readonly notAfter: string }) => boolean {
  return ({ notAfter }) => Date.parse(notAfter) > now;
}
