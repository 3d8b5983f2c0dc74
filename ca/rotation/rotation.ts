import type { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import type { Folder } from '../root/folder.ts';
import { loadFolder, loadOrCreateRoot, type Root } from '../root/load.ts';
import type { NewKey } from '../root/new.ts';
import type { Issuer } from '../sign/issuer.ts';
import { NEVER_ROTATED, readRotation, type RotationRecord, rotationText, writeRotation } from './file.ts';
import { copyRoot, generationFolder, makeRoot, removeGeneration, removeOthers, setFirstApart } from './generation.ts';
import type { FindInUse } from './in-use.ts';
import { type RotationStore, sharedRoots, type SharedRotation, writeSharedRoot } from './shared.ts';
import {
  advance,
  type Behind,
  type Blocker,
  type Facts,
  type InUse,
  kept,
  type Move,
  type ReplicaBehind,
  rollback,
  type RotationState,
  signing,
  signingServer,
  trusted,
} from './state.ts';

export interface RotationOptions {
  readonly folder: Folder;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly findInUse: FindInUse;
  /** How keys of new roots are made, and what opens kept ones. */
  readonly key?: NewKey | undefined;
  /** How long proxies have to come back after a start, in milliseconds, before their acknowledgements count as complete. */
  readonly settleMs?: number | undefined;
  /** Where replicas share the rotation; without it this folder is all there is. */
  readonly store?: RotationStore | undefined;
}

/** Who follows the trust bundle, as the control plane sees it. */
export interface Followers {
  readonly behind: readonly Behind[];
  /** Identities of which there is a proxy's stream. */
  readonly connected: ReadonlySet<string>;
  /** Identities under which pods run. One that has a certificate and no stream is cut off, and nobody knows what it trusts. */
  readonly expected: ReadonlySet<string>;
  /** Replicas of the control plane whose proxies are not known, or that are not as far as this one. */
  readonly replicas?: readonly ReplicaBehind[] | undefined;
}

export const NOBODY: Followers = Object.freeze({ behind: [], connected: new Set<string>(), expected: new Set<string>() });

/** What a rotation does next, and why not yet. */
export interface Plan {
  readonly step: 'prepare' | 'activate' | 'retire' | 'revoke';
  readonly ready: boolean;
  readonly blockers: readonly Blocker[];
}

export interface RotationStatus {
  readonly phase: RotationState['phase'];
  readonly since: string;
  readonly roots: readonly RootStatus[];
  readonly revoked: RotationRecord['revoked'];
}

export interface RootStatus {
  readonly generation: number;
  readonly role: 'old' | 'new' | 'only';
  readonly signs: boolean;
  readonly trusted: boolean;
  readonly sha256: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
}

export type Done = { readonly ok: true; readonly status: RotationStatus } | Refused;
export interface Refused {
  readonly ok: false;
  readonly reason: string;
  readonly blockers: readonly Blocker[];
}

/** All roots of an authority, and which of them does what. Every change is on disk before anything follows from it. */
export interface Rotation {
  /** Signs for workloads. */
  readonly root: () => Root;
  /** Signs for the control plane's own server. */
  readonly serverRoot: () => Root;
  /** Everything that may have issued a certificate that is still trusted. The same array until something changes. */
  readonly issuers: () => readonly X509Certificate[];
  /** The CAs under which certificates may still be valid. */
  readonly signers: () => readonly Issuer[];
  /** The roots of the trust bundle, PEM. */
  readonly rootsPem: () => string;
  /** CA certificates under those roots, the issuing ones among them, PEM. */
  readonly intermediatesPem: () => string;
  /** The files of the root that signs. */
  readonly folder: () => Folder;
  /** Takes what the signing generation's files became: another intermediate, other roots. */
  replace(root: Root): Promise<void>;
  status(): RotationStatus;
  plan(followers: Followers): Promise<Plan>;
  /** Makes a new root, or takes one from a folder of the `cacerts` layout, and puts it into the trust bundle. */
  prepare(from?: string): Promise<Done>;
  /** One step forward; what it must wait for refuses it, save with `force`. */
  advance(followers: Followers, force: boolean): Promise<Done>;
  rollback(followers: Followers, force: boolean): Promise<Done>;
  /** A step that another replica took. Rejects when its roots cannot be used; then the last good ones go on. */
  follow(shared: SharedRotation): Promise<void>;
  /** Listeners are awaited in turn after each change, before the order that made it is answered. */
  onChange(listener: () => Promise<void>): void;
  /** Lets go of all keys. */
  close(): Promise<void>;
}

const OVERTAKEN = 'another replica took a step at the same moment; look at the plan and try again';

/** What was to be saved is not based on what is shared by now. */
class Overtaken extends Error {}

const SETTLE_MS = 15_000;
const NOTHING: InUse = Object.freeze({ count: 0, until: undefined, identities: [] });

const STEPS = Object.freeze({ steady: 'prepare', prepared: 'activate', active: 'retire', retiring: 'revoke' } as const);

export async function openRotation(options: RotationOptions): Promise<Rotation> {
  const { folder, clock, log, trustDomain } = options;
  const { dir } = folder;
  const openedAt = clock().getTime();
  let record = await readRotation(dir);
  const roots = new Map<number, Root>();
  if (record === undefined) roots.set(0, await loadOrCreateRoot(folder, options));
  else {
    await tidy(dir, record, log);
    for (const generation of kept(record.state))
      roots.set(generation, await loadFolder(generationFolder(dir, generation), trustDomain, options.key));
  }
  let issuers: readonly X509Certificate[] = [];
  // Printed once: it goes out with every certificate.
  let bundle = '';
  let intermediates = '';
  const listeners: (() => Promise<void>)[] = [];
  const state = (): RotationState => (record ?? NEVER_ROTATED).state;

  const rootOf = (generation: number): Root => {
    const root = roots.get(generation);
    if (root === undefined) throw new Error(`root ${generation} is not loaded; this is a bug`);
    return root;
  };
  const settle = (): void => {
    issuers = kept(state())
      .filter((generation) => trusted(state()).includes(generation))
      .flatMap((generation) => rootOf(generation).issuers);
    const roots = trusted(state()).map(rootOf);
    bundle = uniqueRoots(roots);
    intermediates = [...new Set(roots.flatMap(({ intermediatesPem }) => intermediatesPem))].join('');
  };
  settle();

  const rootsPem = (): string => bundle;
  const distribute = async (): Promise<void> => {
    // Generation 0 alone: the file is the root's own.
    if (record === undefined) return;
    const known = existsSync(folder.roots) ? readFileSync(folder.roots, 'utf8') : '';
    if (known !== rootsPem()) await writeAtomically(folder.roots, rootsPem(), 0o644);
  };
  await distribute();

  /** What was committed but has not followed everywhere yet: first of all in the next order. */
  let unapplied = false;
  const changed = async (): Promise<void> => {
    unapplied = true;
    settle();
    await distribute();
    for (const listener of listeners) await listener();
    unapplied = false;
  };

  const facts = async ({ behind, connected, expected, replicas = [] }: Followers): Promise<Facts> => {
    const now = clock();
    const current = state();
    const settledAt = new Date(openedAt + (options.settleMs ?? SETTLE_MS));
    if (current.phase === 'steady')
      return { now, behind, replicas, away: [], settledAt, inUse: { old: NOTHING, next: NOTHING }, nextValid: undefined };
    const [old, next] = [rootOf(current.old), rootOf(current.next)];
    const inUse = await options.findInUse({ old: old.issuer.keyId, next: next.issuer.keyId }, now);
    const certified = new Set([...inUse.old.identities, ...inUse.next.identities]);
    const away = [...certified].filter((identity) => expected.has(identity) && !connected.has(identity)).sort();
    return { now, behind, replicas, away, settledAt, inUse, nextValid: next.issuer.validity };
  };

  /** Commits a state: from here on a restart goes on with it. */
  const commit = async (to: RotationState, last: number): Promise<void> => {
    const before = record ?? NEVER_ROTATED;
    const gone = kept(before.state).filter((generation) => !kept(to).includes(generation));
    const since = clock().toISOString();
    const revoked = gone.map((generation) => ({
      generation,
      sha256: rootOf(generation).roots.map(({ fingerprint256 }) => fingerprint256),
      revokedAt: since,
    }));
    const next = { state: to, since, last, revoked: [...before.revoked, ...revoked] };
    if (options.store !== undefined && !(await options.store.save({ record: next, roots: await sharedRoots(dir, next) })))
      throw new Overtaken();
    record = next;
    try {
      await writeRotation(dir, next);
    } catch (error) {
      // Where replicas share it the step is taken; the next start, or the next thing heard of it, has it again.
      if (options.store === undefined) record = before === NEVER_ROTATED ? undefined : before;
      throw error;
    }
    log.info({ from: before.state, to }, 'root rotation');
    await changed();
    await drop(gone);
  };
  /** Lets go of roots that are out of service. */
  const drop = async (gone: readonly number[]): Promise<void> => {
    for (const generation of gone) {
      await roots.get(generation)?.close();
      roots.delete(generation);
    }
    if (record !== undefined) await tidy(dir, record, log);
  };

  const follow = async ({ record: next, roots: files }: SharedRotation): Promise<void> => {
    if (record !== undefined && rotationText(record) === rotationText(next)) return;
    const before = kept(state());
    const needed = kept(next.state);
    const loaded = new Map<number, Root>();
    for (const generation of needed) {
      if (before.includes(generation) && roots.has(generation)) {
        // Until now its roots may have been the folder's trust bundle itself.
        if (record === undefined && generation === 0) await setFirstApart(dir, rootOf(0).rootCertPem);
        continue;
      }
      const file = files.get(generation);
      if (file === undefined) throw new AuthorityError(`root ${generation} is not among what replicas share`);
      await writeSharedRoot(dir, generation, file);
      loaded.set(generation, await loadFolder(generationFolder(dir, generation), trustDomain, options.key));
    }
    const from = state();
    await writeRotation(dir, next);
    for (const [generation, root] of loaded) roots.set(generation, root);
    record = next;
    log.info({ from, to: next.state }, 'root rotation: another replica took a step');
    await changed();
    await drop(before.filter((generation) => !needed.includes(generation)));
  };

  let turn: Promise<unknown> = Promise.resolve();
  /** One order after another. */
  const inTurn = <Result>(task: () => Promise<Result>): Promise<Result> => {
    const run = turn.then(async () => {
      if (unapplied) await changed();
      return task();
    });
    turn = run.catch(() => undefined);
    return run;
  };

  const take = async (move: Move, force: boolean): Promise<Done> => {
    if (!move.ok) return { ...move, blockers: [] };
    if (move.blockers.length > 0 && !force)
      return { ok: false, reason: `${move.blockers.length} things are in the way`, blockers: move.blockers };
    if (move.blockers.length > 0) log.warn({ blockers: move.blockers.length, to: move.to }, 'root rotation is forced');
    return committed(move.to, record?.last ?? 0);
  };
  const committed = async (to: RotationState, last: number): Promise<Done> => {
    try {
      await commit(to, last);
    } catch (error) {
      if (error instanceof Overtaken) return { ok: false, reason: OVERTAKEN, blockers: [] };
      throw error;
    }
    return { ok: true, status: status() };
  };

  const status = (): RotationStatus => {
    const current = state();
    return {
      phase: current.phase,
      since: record?.since ?? '',
      revoked: record?.revoked ?? [],
      roots: kept(current).map((generation) => {
        const { roots: own, issuer } = rootOf(generation);
        return {
          generation,
          role: current.phase === 'steady' ? 'only' : generation === current.old ? 'old' : 'new',
          signs: signing(current) === generation,
          trusted: trusted(current).includes(generation),
          sha256: own.map(({ fingerprint256 }) => fingerprint256),
          notBefore: issuer.validity.notBefore.toISOString(),
          notAfter: issuer.validity.notAfter.toISOString(),
        };
      }),
    };
  };

  const prepare = async (from?: string): Promise<Done> => {
    const current = state();
    if (current.phase !== 'steady')
      return { ok: false, reason: `a rotation is under way already (${current.phase}); finish it or roll it back`, blockers: [] };
    const next = (record?.last ?? 0) + 1;
    const made = await made0(next, from);
    if (!made.ok) return { ok: false, reason: made.reason, blockers: [] };
    roots.set(next, made.root);
    if (record === undefined) await setFirstApart(dir, rootOf(0).rootCertPem);
    const done = await committed({ phase: 'prepared', old: current.signing, next }, next);
    if (done.ok) return done;
    roots.delete(next);
    await made.root.close();
    await removeGeneration(dir, next);
    return done;
  };

  const made0 = async (
    generation: number,
    from: string | undefined,
  ): Promise<{ readonly ok: true; readonly root: Root } | { readonly ok: false; readonly reason: string }> => {
    try {
      await removeGeneration(dir, generation);
      const at =
        from === undefined ? await makeRoot(options, dir, generation, signing(state())) : await copyRoot(from, dir, generation);
      const root = await loadFolder(at, trustDomain, options.key);
      const twice = root.roots.find(({ raw }) => rootOf(signing(state())).roots.some((own) => own.raw.equals(raw)));
      if (twice === undefined) return { ok: true, root };
      await removeGeneration(dir, generation);
      return { ok: false, reason: 'the new root is the one in use already' };
    } catch (error) {
      await removeGeneration(dir, generation);
      if (error instanceof AuthorityError) return { ok: false, reason: error.message };
      throw error;
    }
  };

  return {
    root: () => rootOf(signing(state())),
    serverRoot: () => rootOf(signingServer(state())),
    issuers: () => issuers,
    signers: () => kept(state()).map((generation) => rootOf(generation).issuer),
    rootsPem,
    intermediatesPem: () => intermediates,
    folder: () => (record === undefined ? folder : generationFolder(dir, signing(state()))),
    replace: (root) =>
      inTurn(async () => {
        roots.set(signing(state()), root);
        await changed();
      }),
    status,
    async plan(followers) {
      const current = state();
      const move = advance(current, await facts(followers));
      const blockers = move.ok ? move.blockers : [];
      return { step: STEPS[current.phase], ready: blockers.length === 0, blockers };
    },
    prepare: (from) => inTurn(() => prepare(from)),
    advance: (followers, force) => inTurn(async () => take(advance(state(), await facts(followers)), force)),
    rollback: (followers, force) => inTurn(async () => take(rollback(state(), await facts(followers)), force)),
    follow: (shared) => inTurn(() => follow(shared)),
    onChange: (listener) => void listeners.push(listener),
    close: async () => {
      for (const root of roots.values()) await root.close();
    },
  };
}

/** Finishes what a crash may have left undone after the last commit. */
async function tidy(dir: string, { state, revoked }: RotationRecord, log: Logger): Promise<void> {
  const needed = kept(state);
  const orphans = await removeOthers(dir, needed);
  if (orphans.length > 0) log.info({ generations: orphans }, 'files of roots that are not in use were removed');
  if (!needed.includes(0) && revoked.some(({ generation }) => generation === 0)) await removeGeneration(dir, 0);
}

function uniqueRoots(all: readonly Root[]): string {
  return [...new Set(all.flatMap(({ roots }) => roots.map((root) => root.toString())))].join('');
}
