import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Sign, SigningAnswer } from '../authority/signing.ts';
import type { Clock, Random, Timers } from '../clock.ts';
import { acceptCertificate, type Svid } from './accept.ts';
import { retryDelay } from './backoff.ts';
import type { TrustBundle } from './bundle.ts';
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
  /** Lifetime to ask for. */
  readonly ttlSeconds: number;
  readonly sign: Sign;
  /** Read anew for every attempt: projected tokens are replaced under way. */
  readonly readToken: () => Promise<Parsed<string>>;
  /** The configured roots of this moment; undefined while there are none. */
  readonly bundle: () => TrustBundle | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly onEvent: (event: KeeperEvent) => void;
}

const LONGEST_CALL_MS = 10_000;
const SHORTEST_CALL_MS = 500;

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
  #failures = 0;
  #wake: () => void = () => {};
  #task: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  current(): Svid | undefined {
    return this.#current;
  }

  start(): void {
    this.#task ??= this.#run();
  }

  /** Resolves when no call is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#task;
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
    }
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
      if (step.kind === 'wait') return step.ms;
    }
    const retryMs = await this.#renew();
    this.#noteExpiry();
    return retryMs;
  }

  /** Asks once. Returns 0 when there is a new certificate, else how long to wait before asking again. */
  async #renew(): Promise<number> {
    const { id, bundle, clock, random, onEvent } = this.#options;
    const asked = await requestFor(id, await newKey());
    const answer = await this.#ask(asked.csr);
    if (this.#stop.signal.aborted) return 0;
    const roots = bundle();
    const now = clock.now().getTime();
    if (answer.kind === 'failed') return this.#failed(answer.code, answer.reason, answer.hint);
    if (roots === undefined) return this.#failed('NO_ROOTS', 'the root certificate file cannot be used');
    const accepted = acceptCertificate(answer.certChain, { id, key: asked.key }, roots, now);
    if (!accepted.ok) return this.#failed('REFUSED', `the authority's answer was refused: ${accepted.reason}`);
    const previous = this.#current;
    this.#current = accepted.svid;
    this.#plan = planRenewal(accepted.svid.notAfter, now, clock.monotonic(), random);
    this.#failures = 0;
    onEvent({ kind: 'issued', svid: accepted.svid, previous });
    return 0;
  }

  async #ask(csr: string): Promise<SigningAnswer> {
    const { sign, readToken, bundle, ttlSeconds } = this.#options;
    const roots = bundle();
    if (roots === undefined) return { kind: 'failed', code: 'NO_ROOTS', reason: 'the root certificate file cannot be used' };
    const token = await readToken();
    const valid = this.#lifeLeft() > 0 ? this.#current : undefined;
    if (!token.ok && valid === undefined)
      return { kind: 'failed', code: 'NO_TOKEN', reason: `the token file cannot be used: ${token.reason}` };
    // The certificate alone first: it outlasts a token whose file nobody renews. An authority may refuse it (revoked, root
    // gone) and yet take the token, so that after a failure every other try goes with the token alone.
    const client = valid !== undefined && (this.#failures % 2 === 0 || !token.ok) ? valid : undefined;
    const limit = new AbortController();
    const cancel = this.#options.timers.after(this.#callLimit(), () => limit.abort());
    const sent = client === undefined && token.ok ? token.value : undefined;
    try {
      const call = { csr, ttlSeconds, rootsPem: roots.pem, token: sent, client };
      const answer = await sign(call, AbortSignal.any([limit.signal, this.#stop.signal]));
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

  #failed(code: string, reason: string, hint?: number): number {
    this.#failures += 1;
    const local = code === 'NO_ROOTS' || code === 'NO_TOKEN';
    const failure = { count: this.#failures, lifeLeft: this.#lifeLeft(), hint, local };
    const retryMs = Math.ceil(retryDelay(failure, this.#options.random));
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

function chainHolds(svid: Svid, bundle: TrustBundle, now: number): boolean {
  return verifyChain(svid.leaf, svid.intermediates, bundle, now).ok;
}
