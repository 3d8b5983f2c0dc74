// A world for the keeper in which nothing but the test moves: clock, timers, randomness, roots, token and authority.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Sign, SigningAnswer, SigningCall } from '../../sds/authority/signing.ts';
import type { Clock, Timers } from '../../sds/clock.ts';
import { parseBundle, type TrustBundle } from '../../sds/identity/bundle.ts';
import { IdentityKeeper, type KeeperEvent } from '../../sds/identity/keeper.ts';
import { type KeyedCertificate, selfSignedRoot, signLeaf } from './authority.ts';
import { eventually } from '../eventually.ts';

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** Time that stands still until told otherwise. The wall clock starts at the machine's, since certificates are dated by it. */
export class StillTime implements Clock, Timers {
  #monotonic = 0;
  #offset = Date.now();
  readonly #timers = new Set<Timer>();

  now(): Date {
    return new Date(this.#offset + this.#monotonic);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.#monotonic + ms, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The wall clock is set to another time; timers do not notice. */
  jump(ms: number): void {
    this.#offset += ms;
  }

  /** Milliseconds to the next timer. */
  next(): number | undefined {
    const times = [...this.#timers].map(({ at }) => at);
    return times.length === 0 ? undefined : Math.min(...times) - this.#monotonic;
  }

  pass(ms: number): void {
    this.#monotonic += ms;
    for (const timer of this.#timers) {
      if (timer.at > this.#monotonic || !this.#timers.delete(timer)) continue;
      timer.task();
    }
  }
}

export function bundleOf(...roots: readonly KeyedCertificate[]): TrustBundle {
  const bundle = parseBundle(roots.map(({ certificate }) => certificate.toString('pem')).join('\n'));
  if (!bundle.ok) throw new Error(bundle.reason);
  return bundle.value;
}

export class KeeperWorld {
  readonly time = new StillTime();
  readonly events: KeeperEvent[] = [];
  readonly calls: SigningCall[] = [];
  root: KeyedCertificate;
  bundle: TrustBundle | undefined;
  token: Parsed<string> = { ok: true, value: 'a.b.c' };
  lifetimeMs = 3_600_000;
  /** Set to answer with a failure instead. */
  failure: (SigningAnswer & { kind: 'failed' }) | undefined;
  /** Roots that answers end in, PEM. */
  answerEnd: readonly string[] = [];
  /** Roots that the keeper gave on. */
  readonly learned: string[] = [];
  /** How far the authority's clock is ahead of the keeper's. */
  aheadMs = 0;
  /** Set to answer nothing until the caller gives up. */
  hang = false;
  /** Who waits for the authority to come back. */
  readonly waiting = new Set<() => void>();
  readonly keeper: IdentityKeeper;

  private constructor(root: KeyedCertificate, draw: number) {
    this.root = root;
    this.bundle = bundleOf(root);
    const id = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart');
    if (!id.ok) throw new Error(id.reason);
    this.keeper = new IdentityKeeper({
      id: id.value,
      ttlSeconds: 3600,
      sign: (call, signal) => this.#sign(call, signal),
      readToken: () => Promise.resolve(this.token),
      bundle: () => this.bundle,
      onRoots: (pem) => this.learned.push(pem),
      clock: this.time,
      timers: this.time,
      random: () => draw,
      onEvent: (event) => this.events.push(event),
      onReturn: (task) => {
        this.waiting.add(task);
        return () => this.waiting.delete(task);
      },
    });
  }

  static async make(draw = 0): Promise<KeeperWorld> {
    return new KeeperWorld(await selfSignedRoot(), draw);
  }

  readonly #sign: Sign = async (call, signal) => {
    this.calls.push(call);
    if (this.hang) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { kind: 'failed', code: 'CANCELLED', reason: 'Cancelled on client' };
    }
    if (this.failure !== undefined) return this.failure;
    const request = new x509.Pkcs10CertificateRequest(call.csr);
    const now = this.time.now().getTime() + this.aheadMs;
    const certificate = await signLeaf(this.root, {
      names: [{ type: 'url', value: 'spiffe://cluster.local/ns/shop/sa/cart' }],
      publicKey: request.publicKey,
      lifetimeMs: now - Date.now() + this.lifetimeMs,
      backdateMs: Date.now() - now + 1000,
    });
    return { kind: 'signed', certChain: [certificate.toString('pem'), ...this.answerEnd] };
  };

  /** The authority is back: tells who waits for that. */
  returned(): void {
    const told = [...this.waiting];
    this.waiting.clear();
    for (const task of told) task();
  }

  kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** Waits until the keeper sleeps with that many events behind it. */
  async settled(events: number): Promise<void> {
    await eventually(`${events} events, ${this.kinds().join(' ')} so far`, () =>
      this.events.length >= events && this.time.next() !== undefined ? true : undefined,
    );
  }
}
