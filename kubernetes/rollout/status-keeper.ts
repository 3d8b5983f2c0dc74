import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, type Json, mapAt } from '../api/json.ts';
import { Rounds } from '../status/rounds.ts';
import { type LastOrder, OWN_FIELDS, withOwn } from './status.ts';
import { rolloutPath } from './watched.ts';

export interface StatusKeeperOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  /** Whether this replica decides about a namespace. */
  readonly isLeader: (namespace: string) => boolean;
  readonly everyMs?: number;
}

interface Wanted {
  /** All of ours but what became of the last order. */
  status: Json | undefined;
  lastOrder: Json | undefined;
  /** Nobody should wait for it. */
  urgent: boolean;
  writtenMs: number;
  dirty: boolean;
}

const EVERY_MS = 250;
/** How evidence grows is told so often. */
const CALM_MS = 60_000;
const ATTEMPTS = 5;

/** Keeps the status of NamespaceRollouts as it should be, now or at the next try. */
export class StatusKeeper {
  readonly #options: StatusKeeperOptions;
  readonly #rounds: Rounds;
  readonly #wanted = new Map<string, Wanted>();

  constructor(options: StatusKeeperOptions) {
    this.#options = options;
    this.#rounds = new Rounds(() => this.#round(), options.everyMs ?? EVERY_MS);
  }

  /** Evidence that grows is not urgent. */
  want(namespace: string, name: string, status: Json, urgent: boolean): void {
    const known = this.#wanted.get(`${namespace}/${name}`);
    if (known?.status !== undefined && isDeepStrictEqual(known.status, status)) return;
    this.#want(namespace, name, { status }, urgent);
  }

  wantOrder(namespace: string, name: string, lastOrder: LastOrder): void {
    const { id, accepted, message } = lastOrder;
    this.#want(namespace, name, { lastOrder: { id, message, ...(accepted !== undefined && { accepted }) } }, true);
  }

  #want(namespace: string, name: string, what: Partial<Pick<Wanted, 'status' | 'lastOrder'>>, urgent: boolean): void {
    const key = `${namespace}/${name}`;
    const before = this.#wanted.get(key);
    this.#wanted.set(key, {
      status: before?.status,
      lastOrder: before?.lastOrder,
      ...what,
      urgent: urgent || before?.urgent === true,
      writtenMs: before?.writtenMs ?? Number.NEGATIVE_INFINITY,
      dirty: true,
    });
  }

  close(): void {
    this.#rounds.close();
  }

  async #round(): Promise<void> {
    for (const [key, wanted] of this.#wanted) {
      if (this.#rounds.closed) return;
      const [namespace = '', name = ''] = key.split('/');
      if (!this.#options.isLeader(namespace)) {
        // Others write it now: what was written here is old when it comes back.
        this.#wanted.delete(key);
        continue;
      }
      if (!wanted.dirty || (!wanted.urgent && performance.now() - wanted.writtenMs < CALM_MS)) continue;
      try {
        await this.#write(namespace, name, wanted);
        const now = this.#wanted.get(key) ?? wanted;
        now.writtenMs = performance.now();
        // Something else is wanted by now.
        if (now !== wanted) continue;
        now.dirty = false;
        now.urgent = false;
      } catch (error) {
        const now = this.#wanted.get(key) ?? wanted;
        now.writtenMs = performance.now();
        now.urgent = false;
        this.#options.log.warn({ rollout: key, err: error }, 'the status of the rollout cannot be written now');
      }
    }
  }

  async #write(namespace: string, name: string, wanted: Wanted): Promise<void> {
    const { client } = this.#options;
    const path = rolloutPath(namespace, name);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const live = await client.request({ path });
        const before = mapAt(live, 'status');
        const stands = Object.fromEntries(Object.entries(before).filter(([field]) => OWN_FIELDS.includes(field)));
        const lastOrder = wanted.lastOrder ?? stands['lastOrder'];
        const status = withOwn(before, { ...(wanted.status ?? stands), ...(lastOrder !== undefined && { lastOrder }) });
        if (status === undefined || !isJson(live)) return;
        await client.request({ method: 'PUT', path: `${path}/status`, body: { ...live, status } });
        return;
      } catch (error) {
        if (isNotFound(error)) {
          this.#wanted.delete(`${namespace}/${name}`);
          return;
        }
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}
