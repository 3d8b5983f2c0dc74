import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, listAt, mapAt, textAt } from '../api/json.ts';
import { begin, type Failure, type Happened, type Order, type State, step, type Told } from './machine.ts';
import { apiObject } from './object.ts';

export interface ResourceWatchOptions {
  readonly client: ApiClient;
  /** As `/apis/networking.istio.io/v1/virtualservices`. */
  readonly path: string;
  /** `labelSelector` and `fieldSelector`. */
  readonly query?: Readonly<Record<string, string>>;
  /** Media types, for a part of each object. */
  readonly accept?: string;
  readonly listAccept?: string;
  /** Members of objects that nobody reads: see `ApiRequest`. */
  readonly without?: ReadonlySet<string> | undefined;
  readonly onTold: (told: Told) => void;
  readonly random?: () => number;
  /** Without a byte for so long a watch counts as lost; the server sends bookmarks every minute. */
  readonly idleMs?: number;
  readonly listTimeoutMs?: number;
}

const IDLE_MS = 90_000;
const LIST_TIMEOUT_MS = 60_000;
/** The server ends a watch after so long, so that connections spread over its replicas. */
const WATCH_SECONDS = 300;

/** Follows one resource until it is closed. */
export class ResourceWatch {
  readonly #options: ResourceWatchOptions;
  readonly #random: () => number;
  readonly #closed = new AbortController();
  #state: State;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ResourceWatchOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    const first = begin();
    this.#state = first.state;
    for (const told of first.told) options.onTold(told);
    this.#do(first.order);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closed.abort();
  }

  #happened(happened: Happened): void {
    if (this.#closed.signal.aborted) return;
    const { state, order, told } = step(this.#state, happened, this.#random());
    this.#state = state;
    for (const one of told) this.#options.onTold(one);
    this.#do(order);
  }

  #do(order: Order | undefined): void {
    if (order === undefined || this.#closed.signal.aborted) return;
    switch (order.kind) {
      case 'wait':
        this.#timer = setTimeout(() => this.#happened({ kind: 'due' }), order.ms);
        return;
      case 'list':
        void this.#list(order);
        return;
      case 'watch':
        void this.#watch(order);
        return;
    }
    order satisfies never;
  }

  async #list({ limit, next }: Order & { kind: 'list' }): Promise<void> {
    const page = { ...(limit > 0 && { limit: String(limit) }), ...(next !== '' && { continue: next }) };
    let happened: Happened;
    try {
      const answer = await this.#options.client.request({
        path: this.#pathWith(page),
        ...(this.#options.listAccept !== undefined && { accept: this.#options.listAccept }),
        timeoutMs: this.#options.listTimeoutMs ?? LIST_TIMEOUT_MS,
        without: this.#options.without,
        signal: this.#closed.signal,
      });
      happened = {
        kind: 'page',
        objects: listAt(answer, 'items').flatMap((item) => apiObject(item) ?? []),
        resourceVersion: textAt(answer, 'metadata', 'resourceVersion'),
        next: textAt(answer, 'metadata', 'continue'),
      };
    } catch (error) {
      happened = { kind: 'failed', failure: failureOf(error) };
    }
    this.#happened(happened);
  }

  async #watch({ resourceVersion }: Order & { kind: 'watch' }): Promise<void> {
    const seconds = Math.round(WATCH_SECONDS * (1 + this.#random()));
    const path = this.#pathWith({
      watch: 'true',
      resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
    });
    // Its own end: a failure that the server tells inside of the stream ends this request too.
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#closed.signal]);
    let last: Happened = { kind: 'ended' };
    try {
      const { client, accept, idleMs = IDLE_MS } = this.#options;
      for await (const line of client.stream({ path, idleMs, signal, ...(accept !== undefined && { accept }) })) {
        const happened = eventOf(line);
        if (happened.kind === 'failed') {
          last = happened;
          break;
        }
        this.#happened(happened);
        if (this.#state.phase.kind !== 'watch') return;
      }
    } catch (error) {
      last = { kind: 'failed', failure: failureOf(error) };
    } finally {
      over.abort();
    }
    this.#happened(last);
  }

  #pathWith(query: Readonly<Record<string, string>>): string {
    const all = new URLSearchParams({ ...this.#options.query, ...query }).toString();
    return all === '' ? this.#options.path : `${this.#options.path}?${all}`;
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) return { kind: 'lost', message: error instanceof Error ? error.message : String(error) };
  const { status, message, retryAfterMs } = error;
  if (status === 410) return { kind: 'expired' };
  if (status === 404) return { kind: 'absent' };
  if (status === 401 || status === 403) return { kind: 'forbidden', message };
  return { kind: 'refused', message: `${status} ${message}`, retryAfterMs };
}

function eventOf(line: unknown): Happened {
  const type = textAt(line, 'type');
  const object = isJson(line) ? line['object'] : undefined;
  if (type === 'BOOKMARK') return { kind: 'bookmark', resourceVersion: textAt(object, 'metadata', 'resourceVersion') };
  if (type === 'ERROR') {
    const code = mapAt(object)['code'];
    const status = typeof code === 'number' ? code : 500;
    return { kind: 'failed', failure: failureOf(new ApiError(status, textAt(object, 'reason'), textAt(object, 'message'))) };
  }
  const read = apiObject(object);
  if (read !== undefined && (type === 'ADDED' || type === 'MODIFIED')) return { kind: 'put', object: read };
  if (read !== undefined && type === 'DELETED') return { kind: 'gone', object: read };
  return { kind: 'failed', failure: { kind: 'lost', message: `an event "${type.slice(0, 40)}" that is none` } };
}
