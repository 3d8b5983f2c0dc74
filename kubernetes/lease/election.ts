import type { Logger } from 'pino';
import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { type Candidate, candidate, leads, next, type Pace, PACE, sighted, type Step, wrote } from './candidate.ts';
import { leaseRecord, microTime } from './lease.ts';

export interface ElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Of this process, in the whole cluster and over its restarts: a Pod's name is not enough, since a container may be started again. */
  readonly identity: string;
  readonly log: Logger;
  readonly clock: () => Date;
  readonly monotonicMs?: (() => number) | undefined;
  readonly pace?: Pace | undefined;
}

/** Keeps trying to hold a Lease, for what only one of several replicas may do. */
export class Election {
  readonly #options: ElectionOptions;
  readonly #monotonicMs: () => number;
  readonly #pace: Pace;
  readonly #listeners = new Set<(leads: boolean) => void>();
  #candidate: Candidate;
  #told = false;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#pace = options.pace ?? PACE;
    this.#candidate = candidate(options.identity);
    this.#again(0);
  }

  /** Ask right before each act, and act within seconds: another may lead afterwards. */
  isLeader(): boolean {
    return !this.#closed && leads(this.#candidate, this.#monotonicMs(), this.#pace);
  }

  /** Told of each change, late at most by one try; `isLeader` is exact. */
  onChange(listener: (leads: boolean) => void): void {
    this.#listeners.add(listener);
    if (this.#told) listener(true);
  }

  /** Lets go, so that another need not wait for the end of the lease. */
  async close(): Promise<void> {
    const led = this.isLeader();
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#trying;
    const { seen } = this.#candidate;
    if (!led || seen === undefined) return;
    try {
      await this.#put({ kind: 'take', over: seen }, '');
    } catch (error) {
      this.#options.log.info({ err: error }, 'the lease could not be given back; it ends by itself');
    }
  }

  #again(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#trying = this.#try().finally(() => {
        this.#tell();
        this.#again(this.#pace.everyMs);
      });
    }, ms);
  }

  async #try(): Promise<void> {
    const { client, log, identity } = this.#options;
    const timeoutMs = this.#pace.renewWithinMs / 2;
    try {
      const found = await client.request({ path: this.#path(), timeoutMs }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      this.#candidate = sighted(this.#candidate, found === undefined ? undefined : leaseRecord(found), this.#monotonicMs());
      const step = next(this.#candidate, this.#monotonicMs(), this.#pace);
      if (step.kind === 'wait') return;
      const sentMs = this.#monotonicMs();
      this.#candidate = wrote(this.#candidate, leaseRecord(await this.#put(step, identity)), sentMs);
    } catch (error) {
      // Somebody was faster: what they wrote is read next time.
      if (!isConflict(error)) log.warn({ err: error, lease: this.#options.name }, 'the lease could not be looked at or renewed');
    }
  }

  #put(step: Exclude<Step, { readonly kind: 'wait' }>, holder: string): Promise<unknown> {
    const { client, namespace, name, clock } = this.#options;
    const now = microTime(clock());
    const over = step.kind === 'create' ? undefined : step.over;
    const mine = over !== undefined && step.kind === 'renew';
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, ...(over !== undefined && { resourceVersion: over.resourceVersion }) },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: Math.max(1, Math.round(this.#pace.holdsMs / 1000)),
        renewTime: now,
        acquireTime: mine ? over.acquireTime : now,
        leaseTransitions: over === undefined ? 0 : over.transitions + (mine || holder === '' ? 0 : 1),
      },
    };
    const timeoutMs = this.#pace.renewWithinMs / 2;
    return over === undefined
      ? client.request({ method: 'POST', path: this.#path(''), body, timeoutMs })
      : client.request({ method: 'PUT', path: this.#path(), body, timeoutMs });
  }

  #path(name = `/${this.#options.name}`): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases${name}`;
  }

  #tell(): void {
    const now = this.isLeader();
    if (now === this.#told) return;
    this.#told = now;
    this.#options.log.info({ lease: this.#options.name }, now ? 'this replica leads' : 'this replica leads no more');
    for (const listener of this.#listeners) listener(now);
  }
}
