import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { mapAt, textAt } from '../api/json.ts';
import { SecretStore, type StoredSecret, storedSecret } from '../authority/secret.ts';
import { microTime } from '../lease/lease.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { isPresent, type Presence, sightedReplica } from './presence.ts';
import { parseReport, type ReplicaReport } from './report.ts';

/** How often a Lease is renewed and for how long it holds, and how often a report may be written. Milliseconds. */
export interface ReplicasPace {
  readonly renewMs: number;
  readonly holdsMs: number;
  readonly reportMs: number;
}

const REPLICAS_PACE: ReplicasPace = Object.freeze({ renewMs: 5_000, holdsMs: 20_000, reportMs: 2_000 });

export interface ReplicasOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Of this process, in the whole cluster and over its restarts; good as a name of an object. */
  readonly id: string;
  /** The Pod it runs in; empty outside of a cluster. */
  readonly pod: string;
  readonly revision: string;
  /** Where other replicas reach it, `host:port`; undefined while nothing listens. */
  readonly address: () => string | undefined;
  /** What there is to say now; undefined before anything is served. */
  readonly report: () => Omit<ReplicaReport, 'answers'> | undefined;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly monotonicMs?: () => number;
  readonly pace?: ReplicasPace;
}

export interface OtherReplica {
  readonly id: string;
  readonly pod: string;
  readonly revision: string;
  readonly address: string;
  /** Whether it must be counted as running. */
  readonly present: boolean;
  /** What it said last, if anything. */
  readonly report: ReplicaReport | undefined;
}

export interface Answers {
  readonly question: string;
  readonly replicas: readonly OtherReplica[];
}

const PREFIX = 'gatehouse-replica-';
const QUESTION = 'gatehouse-replicas-question';
const LABEL = 'gatehouse.dev/replica';
const REPORT_KEY = 'report.json';
const [POD, REVISION, ADDRESS] = ['gatehouse.dev/pod', 'gatehouse.dev/revision', 'gatehouse.dev/address'] as const;
const IDLE_MS = 90_000;

/**
 * The replicas of a control plane, by what each says of itself: a Lease for as long as it runs, and a Secret with what its proxies have. A Secret,
 * since steps of a rotation rest on it: whoever can write Secrets here has the authority's key anyhow.
 *
 * What must be true now is asked: a question is a number in a Lease, and whoever has not answered it is as good as one that says no.
 */
export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #pace: ReplicasPace;
  readonly #monotonicMs: () => number;
  readonly #leases = new Map<string, { readonly presence: Presence; readonly annotations: Readonly<Record<string, unknown>> }>();
  readonly #reports = new Map<string, ReplicaReport | undefined>();
  readonly #watches: readonly ResourceWatch[];
  readonly #secret: SecretStore;
  readonly #listeners = new Set<() => void>();
  #heardMs: number;
  #lists = 0;
  #question = '';
  #stored: StoredSecret | undefined;
  #written = '';
  #timers: NodeJS.Timeout[] = [];
  #turn: Promise<void> = Promise.resolve();
  #complained = false;
  #closed = false;

  constructor(options: ReplicasOptions) {
    const { client, namespace, id } = options;
    this.#options = options;
    this.#pace = options.pace ?? REPLICAS_PACE;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#heardMs = this.#monotonicMs();
    this.#secret = new SecretStore(client, namespace, `${PREFIX}${id}`, { [LABEL]: 'true' });
    const query = { labelSelector: LABEL };
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const secrets = `/api/v1/namespaces/${namespace}/secrets`;
    this.#watches = [
      this.#follow(
        leases,
        query,
        (name, json) => this.#leaseSeen(name, json),
        (name) => this.#leases.delete(name),
      ),
      this.#follow(
        secrets,
        query,
        (name, json) => this.#reportSeen(name, json),
        (name) => this.#reports.delete(name),
      ),
    ];
    this.#every(this.#pace.renewMs, () => this.#renew());
    this.#every(this.#pace.reportMs, () => this.#tell(false));
    this.#then(() => this.#renew());
  }

  get id(): string {
    return this.#options.id;
  }

  /** Resolves once all that run were heard of. */
  async listed(timeoutMs: number): Promise<void> {
    const until = this.#monotonicMs() + timeoutMs;
    while (this.#lists < this.#watches.length && this.#monotonicMs() < until && !this.#closed) await this.#news(1_000);
  }

  /** Called when something about the others was heard. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** All others that were heard of and did not say good-bye. */
  others(): readonly OtherReplica[] {
    return [...this.#leases].flatMap(([name, { presence, annotations }]): OtherReplica[] => {
      const id = name.slice(PREFIX.length);
      if (id === this.#options.id) return [];
      return [
        {
          id,
          pod: textAt(annotations, POD),
          revision: textAt(annotations, REVISION),
          address: textAt(annotations, ADDRESS),
          present: isPresent(presence, this.#heardMs),
          report: this.#reports.get(name),
        },
      ];
    });
  }

  /** Asks all that run, and waits until each has answered or the time is over. @throws ApiError when the API server takes no question */
  async ask(timeoutMs: number): Promise<Answers> {
    const question = randomUUID();
    await this.#putLease(QUESTION, { holderIdentity: question, leaseDurationSeconds: 1 }, {});
    const until = this.#monotonicMs() + timeoutMs;
    const missing = (): boolean => this.others().some(({ present, report }) => present && report?.answers !== question);
    while (missing() && this.#monotonicMs() < until && !this.#closed)
      await this.#news(Math.min(1_000, until - this.#monotonicMs()));
    return { question, replicas: this.others() };
  }

  /** Takes away what a replica left behind that is gone for good. */
  async forget(id: string): Promise<void> {
    const { client, namespace } = this.#options;
    await new SecretStore(client, namespace, `${PREFIX}${id}`).delete();
    await this.#deleteLease(`${PREFIX}${id}`);
  }

  /** Says good-bye: to be called when no proxy is connected any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const watch of this.#watches) watch.close();
    await this.#turn;
    try {
      await this.forget(this.#options.id);
    } catch (error) {
      this.#options.log.info({ err: error }, 'the lease of this replica could not be taken back; it ends by itself');
    }
  }

  #follow(
    path: string,
    query: Readonly<Record<string, string>>,
    put: (name: string, json: unknown) => void,
    gone: (name: string) => void,
  ): ResourceWatch {
    let listed: Set<string> | undefined;
    const known = new Set<string>();
    const drop = (name: string): void => {
      known.delete(name);
      gone(name);
    };
    return new ResourceWatch({
      client: this.#options.client,
      path,
      query,
      idleMs: IDLE_MS,
      onTold: (told) => {
        this.#heardMs = this.#monotonicMs();
        if (told.kind === 'listing') listed = new Set();
        else if (told.kind === 'put')
          for (const { name, json } of told.objects) {
            listed?.add(name);
            known.add(name);
            put(name, json);
          }
        else if (told.kind === 'gone') drop(told.object.name);
        else if (told.kind === 'listed') {
          for (const name of [...known]) if (listed?.has(name) === false) drop(name);
          listed = undefined;
          this.#lists++;
        } else return;
        for (const listener of this.#listeners) listener();
      },
    });
  }

  #leaseSeen(name: string, json: unknown): void {
    if (name === QUESTION) {
      const question = textAt(json, 'spec', 'holderIdentity');
      if (question === this.#question) return;
      this.#question = question;
      this.#then(() => this.#tell(true));
      return;
    }
    if (!name.startsWith(PREFIX)) return;
    const presence = sightedReplica(this.#leases.get(name)?.presence, json, this.#heardMs);
    this.#leases.set(name, { presence, annotations: mapAt(json, 'metadata', 'annotations') });
  }

  #reportSeen(name: string, json: unknown): void {
    if (!name.startsWith(PREFIX)) return;
    const text = storedSecret(json).data[REPORT_KEY];
    this.#reports.set(name, text && parseReport(Buffer.from(text).toString('utf8')));
  }

  #every(ms: number, task: () => Promise<void>): void {
    const timer = setInterval(() => this.#then(task), ms);
    timer.unref();
    this.#timers.push(timer);
  }

  /** One request after another; none piles up behind an API server that is away, since each has a time limit. */
  #then(task: () => Promise<void>): void {
    this.#turn = this.#turn.then(async () => {
      if (this.#closed) return;
      try {
        await task();
        this.#complained = false;
      } catch (error) {
        if (!this.#complained) this.#options.log.warn({ err: error }, 'this replica cannot tell the others how it is');
        this.#complained = true;
      }
    });
  }

  #renew(): Promise<void> {
    const { id, pod, revision, address } = this.#options;
    const at = address();
    return this.#putLease(
      `${PREFIX}${id}`,
      { holderIdentity: id, leaseDurationSeconds: Math.max(1, Math.round(this.#pace.holdsMs / 1000)) },
      { [POD]: pod, [REVISION]: revision, ...(at !== undefined && { [ADDRESS]: at }) },
    );
  }

  /** @param asked whether it must be written even if nothing changed */
  async #tell(asked: boolean): Promise<void> {
    const said = this.#options.report();
    if (said === undefined) return;
    const answers = this.#question;
    const text = JSON.stringify({ answers, ...said });
    if (text === this.#written && !asked) return;
    const data = { [REPORT_KEY]: Buffer.from(text) };
    this.#stored ??= await this.#secret.read();
    const saved = this.#stored === undefined ? await this.#secret.create(data) : await this.#secret.replace(data, this.#stored);
    this.#stored = saved;
    // Taken away, or there already: written again at the next turn.
    if (saved !== undefined) this.#written = text;
  }

  async #putLease(name: string, spec: object, annotations: object): Promise<void> {
    const { client, clock } = this.#options;
    const timeoutMs = this.#pace.holdsMs / 4;
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, labels: { [LABEL]: 'true', 'app.kubernetes.io/part-of': 'gatehouse' }, annotations },
      spec: { ...spec, renewTime: microTime(clock()) },
    };
    const folder = this.#leaseFolder();
    try {
      await client.request({ method: 'PATCH', path: `${folder}/${name}`, body: lease, timeoutMs });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.request({ method: 'POST', path: folder, body: lease, timeoutMs });
    }
  }

  async #deleteLease(name: string): Promise<void> {
    try {
      await this.#options.client.request({ method: 'DELETE', path: `${this.#leaseFolder()}/${name}`, timeoutMs: 5_000 });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #leaseFolder(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  #news(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#listeners.add(done);
    });
  }
}
