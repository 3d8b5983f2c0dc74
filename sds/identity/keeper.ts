import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { type Sign, type SigningAnswer, unanswered } from '../authority/signing.ts';
import type { Turns } from '../authority/turns.ts';
import type { Clock, Random, Timers } from '../clock.ts';
import { acceptCertificate, type Acceptance, type Svid } from './accept.ts';
import { retryDelay } from './backoff.ts';
import { type TrustBundle, withRootsOf } from './bundle.ts';
import { verifyChain } from './chain.ts';
import { endedAt } from './token.ts';
import { newKey, requestFor } from './request.ts';
import { nextStep, planRenewal, type Plan } from './schedule.ts';

export type KeeperEvent =
  /** A certificate was checked and is in use from now on; `previous` is the one it replaced. */
  | { readonly kind: 'issued'; readonly svid: Svid; readonly previous: Svid | undefined }
  /** An attempt failed; the certificate in hand, if any, stays in use. */
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string; readonly retryMs: number }
  /** The certificate in hand has expired before another came. Said once for each certificate. */
  | { readonly kind: 'expired'; readonly svid: Svid };

export interface KeeperOptions {
  readonly id: SpiffeId;
  /** Names to ask for besides. */
  readonly dnsNames?: readonly string[] | undefined;
  /** Lifetime to ask for. */
  readonly ttlSeconds: number;
  readonly sign: Sign;
  /** Read anew for every attempt: projected tokens are replaced under way. */
  readonly readToken: () => Promise<Parsed<string>>;
  /** The configured roots of this moment; undefined while there are none. */
  readonly bundle: () => TrustBundle | undefined;
  /** Takes roots that came with a good answer and were not known yet: the root was changed while this agent was away. */
  readonly onRoots?: ((pem: string) => void) | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly onEvent: (event: KeeperEvent) => void;
  /** Calls back once when an authority that could not be reached is there again; returns the end. Without it, only time tells. */
  readonly onReturn?: ((task: () => void) => () => void) | undefined;
  /** Shared by keepers whose attempts must not all run at once. */
  readonly turns?: Turns | undefined;
}

/** What a keeper is about, for status and metrics. Times in milliseconds since the epoch. */
export interface KeeperStatus {
  readonly svid: Svid | undefined;
  /** When it asks again: the planned renewal, or the next attempt after a failure. Undefined while an attempt is under way. */
  readonly nextAttempt: number | undefined;
  /** Certificates received, attempts failed, since the start. */
  readonly issued: number;
  readonly failed: number;
  /** Failures since the last certificate; 0 while all is well. */
  readonly failuresInARow: number;
  /** The last failure, also when all is well since. */
  readonly lastFailure: { readonly at: number; readonly code: string; readonly reason: string } | undefined;
}

const LONGEST_CALL_MS = 10_000;
/** Over this long all agents of a mesh renew when the root changes. */
const SPREAD_MS = 60_000;
const SHORTEST_CALL_MS = 500;
/** What is said of a call that never met the authority, or met nobody who answered. */
const UNREACHED: readonly string[] = Object.freeze(['UNAVAILABLE', 'DEADLINE_EXCEEDED']);

/**
 * Keeps one identity's certificate fresh. One task owns the state: it asks, checks, publishes, sleeps. The certificate in
 * hand stays until a checked successor replaces it, also past its end: peers refuse it then, and nothing better exists.
 */
export class IdentityKeeper {
  readonly #options: KeeperOptions;
  readonly #stop = new AbortController();
  #current: Svid | undefined;
  #plan: Plan | undefined;
  #expiredSerial: string | undefined;
  #revokedSerial: string | undefined;
  /** Since the last certificate or return of the authority; the back-off grows with it. */
  #failures = 0;
  #issued = 0;
  #failed = 0;
  #failuresInARow = 0;
  #lastFailure: KeeperStatus['lastFailure'];
  #nextAttempt: number | undefined;
  #endReturn: () => void = () => {};
  #wake: () => void = () => {};
  #task: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  current(): Svid | undefined {
    return this.#current;
  }

  status(): KeeperStatus {
    return {
      svid: this.#current,
      nextAttempt: this.#nextAttempt,
      issued: this.#issued,
      failed: this.#failed,
      failuresInARow: this.#failuresInARow,
      lastFailure: this.#lastFailure,
    };
  }

  start(): void {
    this.#task ??= this.#run();
  }

  /** Resolves when no call is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#endReturn();
    this.#wake();
    await this.#task;
  }

  /** To be called when the certificate in hand was revoked: another is asked for at once, and not with this one. */
  revoked(): void {
    if (this.#current === undefined || this.#revokedSerial === this.#current.serial) return;
    this.#revokedSerial = this.#current.serial;
    this.#plan = undefined;
    this.#wake();
  }

  /** To be called when time has moved otherwise than by passing: what is due is done now. */
  clockJumped(): void {
    this.#wake();
  }

  /** To be called when the configured roots changed: a certificate that does not lead to them is replaced at once. */
  bundleChanged(): void {
    const bundle = this.#options.bundle();
    const now = this.#options.clock.now().getTime();
    const svid = this.#current;
    if (bundle === undefined) return;
    // Its own chain carries the intermediates that were good when it was accepted.
    if (svid === undefined || !chainHolds(svid, bundle, now)) {
      this.#plan = undefined;
      this.#wake();
    } else if (this.#plan !== undefined && !leadsToFirst(svid, bundle, now)) {
      // The authority signs with another root now (its own is the first): the old one can go as soon as no certificate needs it.
      const wait = Math.min((svid.notAfter - now) / 4, SPREAD_MS) * this.#options.random();
      const soon = { renewAt: now + wait, renewAtMonotonic: this.#options.clock.monotonic() + wait };
      if (soon.renewAt < this.#plan.renewAt) this.#plan = soon;
      this.#wake();
    }
  }

  /** The answer's own roots count where it leads to no known one: who sent it proved itself under a known root. */
  #accept(chain: readonly string[], asked: Parameters<typeof acceptCertificate>[1], roots: TrustBundle, now: number): Acceptance {
    const accepted = acceptCertificate(chain, asked, roots, now);
    const { onRoots } = this.#options;
    const wider = accepted.ok || onRoots === undefined ? undefined : withRootsOf(chain, roots);
    if (wider === undefined) return accepted;
    const again = acceptCertificate(chain, asked, wider, now);
    if (!again.ok) return accepted;
    onRoots?.(wider.pem);
    return again;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#sleep(await this.#turn());
    }
  }

  /** One look at the clock, and a renewal if it is due. Returns the milliseconds to sleep. */
  async #turn(): Promise<number> {
    const { clock } = this.#options;
    this.#noteExpiry();
    if (this.#plan !== undefined) {
      const step = nextStep(this.#plan, clock.now().getTime(), clock.monotonic());
      if (step.kind === 'wait') {
        this.#nextAttempt = this.#plan.renewAt;
        return step.ms;
      }
    }
    this.#endReturn();
    this.#nextAttempt = undefined;
    const { turns } = this.#options;
    const retryMs = await (turns === undefined ? this.#renew() : turns(() => this.#renew()));
    this.#noteExpiry();
    return retryMs;
  }

  /** Asks once. Returns 0 when there is a new certificate, else how long to wait before asking again. */
  async #renew(): Promise<number> {
    const { id, dnsNames = [], bundle, clock, random, onEvent } = this.#options;
    if (this.#stop.signal.aborted) return 0;
    const asked = await requestFor(id, await newKey(), dnsNames);
    const answer = await this.#ask(asked.csr);
    if (this.#stop.signal.aborted) return 0;
    const roots = bundle();
    const now = clock.now().getTime();
    if (answer.kind === 'failed') {
      if (UNREACHED.includes(answer.code) && answer.hint === undefined) this.#awaitReturn();
      return this.#failure(answer.code, answer.reason, answer.hint);
    }
    if (roots === undefined) return this.#failure('NO_ROOTS', 'the root certificate file cannot be used');
    const accepted = this.#accept(answer.certChain, { id, key: asked.key, dnsNames }, roots, now);
    if (!accepted.ok) return this.#failure('REFUSED', `the authority's answer was refused: ${accepted.reason}`);
    const previous = this.#current;
    this.#current = accepted.svid;
    this.#plan = planRenewal(accepted.svid.notAfter, now, clock.monotonic(), random);
    this.#failures = 0;
    this.#failuresInARow = 0;
    this.#issued += 1;
    onEvent({ kind: 'issued', svid: accepted.svid, previous });
    return 0;
  }

  async #ask(csr: string): Promise<SigningAnswer> {
    const { sign, readToken, bundle, ttlSeconds } = this.#options;
    const roots = bundle();
    if (roots === undefined) return { kind: 'failed', code: 'NO_ROOTS', reason: 'the root certificate file cannot be used' };
    const token = await readToken();
    const usable = this.#lifeLeft() > 0 && this.#current?.serial !== this.#revokedSerial;
    const valid = usable ? this.#current : undefined;
    if (!token.ok && valid === undefined)
      return { kind: 'failed', code: 'NO_TOKEN', reason: `the token file cannot be used: ${token.reason}` };
    // The certificate alone first: it outlasts a token whose file nobody renews. An authority may refuse it (revoked, root
    // gone) and yet take the token, so that after a failure every other try goes with the token alone.
    const client = valid !== undefined && (this.#failures % 2 === 0 || !token.ok) ? valid : undefined;
    const limit = new AbortController();
    const limitMs = this.#callLimit();
    const cancel = this.#options.timers.after(limitMs, () => limit.abort());
    const sent = client === undefined && token.ok ? token.value : undefined;
    try {
      const call = { csr, ttlSeconds, rootsPem: roots.pem, token: sent, client };
      const answer = await sign(call, AbortSignal.any([limit.signal, this.#stop.signal]));
      if (answer.kind === 'failed' && limit.signal.aborted) return unanswered(limitMs);
      return answer.kind === 'failed' && sent !== undefined ? this.#explained(answer, sent) : answer;
    } finally {
      cancel();
    }
  }

  /** Says so where a refused token had ended: who writes the token file is asleep. */
  #explained(answer: SigningAnswer & { readonly kind: 'failed' }, token: string): SigningAnswer {
    const ended = endedAt(token, this.#options.clock.now().getTime());
    if (ended === undefined || (answer.code !== 'UNAUTHENTICATED' && answer.code !== 'PERMISSION_DENIED')) return answer;
    const note = `the token in the token file expired at ${new Date(ended).toISOString()}: renew that file`;
    return { ...answer, reason: `${answer.reason} (${note})` };
  }

  /** A return begins the back-off anew, so that an authority that is still starting is asked again soon. */
  #awaitReturn(): void {
    this.#endReturn =
      this.#options.onReturn?.(() => {
        this.#failures = 0;
        this.#wake();
      }) ?? this.#endReturn;
  }

  #failure(code: string, reason: string, hint?: number): number {
    this.#failures += 1;
    this.#failuresInARow += 1;
    this.#failed += 1;
    const local = code === 'NO_ROOTS' || code === 'NO_TOKEN';
    const failure = { count: this.#failures, lifeLeft: this.#lifeLeft(), hint, local };
    const retryMs = Math.ceil(retryDelay(failure, this.#options.random));
    const at = this.#options.clock.now().getTime();
    this.#lastFailure = { at, code, reason };
    this.#nextAttempt = at + retryMs;
    this.#options.onEvent({ kind: 'failed', code, reason, retryMs });
    return retryMs;
  }

  #lifeLeft(): number {
    return this.#current === undefined ? 0 : this.#current.notAfter - this.#options.clock.now().getTime();
  }

  /** A call that hangs must leave time for another before the certificate ends. */
  #callLimit(): number {
    const left = this.#lifeLeft();
    return left <= 0 ? LONGEST_CALL_MS : Math.max(SHORTEST_CALL_MS, Math.min(LONGEST_CALL_MS, left / 4));
  }

  #noteExpiry(): void {
    const svid = this.#current;
    if (svid === undefined || this.#lifeLeft() > 0 || this.#expiredSerial === svid.serial) return;
    this.#expiredSerial = svid.serial;
    this.#options.onEvent({ kind: 'expired', svid });
  }

  #sleep(ms: number): Promise<void> {
    if (ms <= 0 || this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(ms, () => resolve());
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

function leadsToFirst(svid: Svid, { roots, pem }: TrustBundle, now: number): boolean {
  return chainHolds(svid, { roots: roots.slice(0, 1), pem }, now);
}

function chainHolds(svid: Svid, bundle: TrustBundle, now: number): boolean {
  return verifyChain(svid.leaf, svid.intermediates, bundle, now).ok;
}
