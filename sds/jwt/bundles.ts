import type { Logger } from 'pino';
import { parseTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { Clock, Random, Timers } from '../clock.ts';
import { retryDelay } from '../identity/backoff.ts';
import type { JwtAuthority } from './authority.ts';
import { type JwtKeySet, parseJwtKeySet } from './key-set.ts';
import { validateToken, type Validation } from './validate.ts';

export interface JwtBundlesOptions {
  readonly trustDomain: TrustDomain;
  readonly authority: JwtAuthority;
  readonly rootsPem: () => string | undefined;
  /** The key sets of other trust domains at this moment. */
  readonly federated: () => ReadonlyMap<TrustDomain, JwtKeySet>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

export type CurrentSets =
  | { readonly kind: 'pending' }
  /** The authority has no JWT-SVIDs, as Istio's has not. */
  | { readonly kind: 'unsupported'; readonly reason: string }
  | { readonly kind: 'sets'; readonly sets: ReadonlyMap<TrustDomain, JwtKeySet> };

const LONGEST_REFRESH_MS = 3_600_000;
const SHORTEST_REFRESH_MS = 200;
/** A token with an unknown key makes us ask again at once, but not more often than this. */
const LEAST_BETWEEN_MS = 1000;

/**
 * The public keys of JWT-SVIDs, for all workloads of an agent. Asked for when a workload first wants them, then again and
 * again as the authority wishes; what was last received stays in force while it is away.
 */
export class JwtBundles {
  readonly #options: JwtBundlesOptions;
  readonly #listeners = new Set<() => void>();
  #own: JwtKeySet | undefined;
  /** What the control plane federates with. */
  #foreign: ReadonlyMap<TrustDomain, JwtKeySet> = new Map();
  #unsupported: string | undefined;
  #wanted = false;
  #closed = false;
  #failures = 0;
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #cancel: () => void = () => {};

  constructor(options: JwtBundlesOptions) {
    this.#options = options;
  }

  /** A workload uses JWT-SVIDs: from now on the keys are kept fresh. */
  want(): void {
    if (this.#wanted || this.#closed) return;
    this.#wanted = true;
    void this.#refresh();
  }

  current(): CurrentSets {
    if (this.#own !== undefined) return { kind: 'sets', sets: this.#sets() };
    return this.#unsupported === undefined ? { kind: 'pending' } : { kind: 'unsupported', reason: this.#unsupported };
  }

  /** Checks a token with the keys in hand; with fresh ones where its key is not among them. `passing`: try again later. */
  async validate(token: string, audience: string): Promise<Validation | { ok: false; reason: string; passing: true }> {
    const { clock } = this.#options;
    this.want();
    if (this.#own === undefined) await this.#asking;
    const first = await validateToken(token, audience, this.#sets(), clock.now());
    if (first.ok || first.unknownKey !== true) return first;
    const soon = clock.monotonic() - this.#asked < LEAST_BETWEEN_MS;
    if (!soon) await this.#refresh();
    const last = soon ? first : await validateToken(token, audience, this.#sets(), clock.now());
    if (last.ok || this.#own !== undefined) return last;
    return { ok: false, reason: 'the keys of the trust domain are not there yet', passing: true };
  }

  /** To be called when the key sets of other trust domains changed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #refresh(): Promise<void> {
    this.#cancel();
    this.#asking ??= this.#ask().then((ms) => {
      this.#asking = undefined;
      if (!this.#closed) this.#cancel = this.#options.timers.after(ms, () => void this.#refresh());
    });
    return this.#asking;
  }

  /** Asks once. Returns how long to wait before asking again. */
  async #ask(): Promise<number> {
    const { authority, rootsPem, clock, random, trustDomain } = this.#options;
    this.#asked = clock.monotonic();
    const roots = rootsPem();
    const answer =
      roots === undefined
        ? { kind: 'failed' as const, code: 'NO_ROOTS', reason: 'there are no roots to trust the authority by' }
        : await authority.bundle(roots);
    if (answer.kind === 'failed') return this.#failed(answer.code, answer.reason, answer.hint);
    if (answer.trustDomain !== trustDomain) return this.#failed('REFUSED', 'the key set is of another trust domain');
    const set = parseJwtKeySet(answer.jwks);
    if (!set.ok) return this.#failed('REFUSED', set.reason);
    this.#failures = 0;
    this.#unsupported = undefined;
    const before = printed(this.#sets());
    this.#own = set.value;
    this.#foreign = this.#usable(answer.federated);
    if (before !== printed(this.#sets())) this.changed();
    const asked = Math.min(LONGEST_REFRESH_MS, Math.max(SHORTEST_REFRESH_MS, answer.refreshSeconds * 1000));
    // Earlier than asked, by a random tenth, so that agents that started together do not ask together for ever.
    return asked * (0.9 + 0.1 * random());
  }

  /** Of all trust domains; a file of this machine counts more than what the control plane says of another domain. */
  #sets(): ReadonlyMap<TrustDomain, JwtKeySet> {
    const { trustDomain, federated } = this.#options;
    const own = this.#own === undefined ? [] : [[trustDomain, this.#own] as const];
    return new Map([...own, ...this.#foreign, ...federated()]);
  }

  #usable(sets: ReadonlyMap<string, string>): ReadonlyMap<TrustDomain, JwtKeySet> {
    const usable = new Map<TrustDomain, JwtKeySet>();
    for (const [name, jwks] of sets) {
      const [domain, set] = [parseTrustDomain(name), parseJwtKeySet(jwks)];
      if (domain.ok && domain.value !== this.#options.trustDomain && set.ok) usable.set(domain.value, set.value);
      else this.#options.log.error({ trustDomain: name }, 'the keys of a federated trust domain cannot be used');
    }
    return usable;
  }

  #failed(code: string, reason: string, hint?: number): number {
    const { random, log } = this.#options;
    this.#failures += 1;
    if (this.#failures === 1) log.warn({ code, reason }, 'the keys of JWT-SVIDs cannot be had; the last ones stay in force');
    if (code === 'UNIMPLEMENTED' && this.#own === undefined) {
      this.#unsupported = reason;
      this.changed();
    }
    return Math.ceil(retryDelay({ count: this.#failures, lifeLeft: 0, hint }, random));
  }
}

function printed(sets: ReadonlyMap<TrustDomain, JwtKeySet>): string {
  return JSON.stringify([...sets].map(([domain, { json }]) => [domain, json]));
}
