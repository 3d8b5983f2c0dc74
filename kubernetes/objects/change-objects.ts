import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient, ApiRequest } from '../api/client.ts';
import { isJson, type Json, mapAt, textAt } from '../api/json.ts';
import { pathOfKind, type ServedKind, type Target } from './api-resources.ts';
import { FIELD_MANAGER, takenOver } from './field-owners.ts';
import { asWritten, withCopy } from './written.ts';

export interface ChangeOptions {
  /** The server does everything but keep it. */
  readonly dryRun: boolean;
  /** Fields that others own are taken over. */
  readonly force: boolean;
  readonly onWarning: (text: string) => void;
}

export type Outcome = 'created' | 'configured' | 'unchanged' | 'replaced' | 'deleted' | 'deletion under way';

export interface Changed {
  readonly outcome: Outcome;
  /** As it is now; of what was deleted, as it was. */
  readonly object: Json;
}

/** The object is not there, or already there. */
export class WrongState extends Error {
  override readonly name = 'WrongState';
}

const BUSY_ATTEMPTS = 4;
const CONFLICT_ATTEMPTS = 5;
const DELETED_LOOK_MS = 200;

/** Objects of one cluster, changed as a user of kubectl would. Every method throws as `ApiClient.request` does. */
export class ChangeObjects {
  readonly #client: ApiClient;
  readonly #options: ChangeOptions;

  constructor(client: ApiClient, options: ChangeOptions) {
    this.#client = client;
    this.#options = options;
  }

  async get(kind: ServedKind, target: Target): Promise<Json | undefined> {
    try {
      return objectIn(await this.#send({ path: pathOfKind(kind, target) }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Server-side apply: the server merges by the kind's schema, and refuses to take fields from whoever else wrote them. */
  async apply(kind: ServedKind, target: Target, value: Json): Promise<Changed> {
    const before = await this.get(kind, target);
    const live = before === undefined || this.#options.dryRun ? before : await this.#takeOver(kind, target, before);
    // What a dry run cannot take over first is forced: those fields are ours or kubectl's.
    const force = this.#options.force || (this.#options.dryRun && before !== undefined && takenOver(before) !== undefined);
    const body = withCopy(asWritten(value, kind.namespaced ? target.namespace : ''), live);
    const query = `?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict&force=${force}${this.#dry('&')}`;
    const object = objectIn(
      await this.#send({
        method: 'PATCH',
        path: `${pathOfKind(kind, target)}${query}`,
        body,
        contentType: 'application/apply-patch+yaml',
      }),
    );
    if (live === undefined) return { outcome: 'created', object };
    return { outcome: isSame(object, live) ? 'unchanged' : 'configured', object };
  }

  async create(kind: ServedKind, target: Target, value: Json): Promise<Changed> {
    const path = `${pathOfKind(kind, { ...target, name: '' })}?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict${this.#dry('&')}`;
    const { resourceVersion: _, ...metadata } = mapAt(asWritten(value, kind.namespaced ? target.namespace : ''), 'metadata');
    try {
      const body = { ...asWritten(value, ''), metadata };
      return { outcome: 'created', object: objectIn(await this.#send({ method: 'POST', path, body })) };
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'AlreadyExists')
        throw new WrongState('already exists (use gatehouse apply or gatehouse replace)', { cause: error });
      throw error;
    }
  }

  /** The whole object. Without a resourceVersion in what was written the one that is there now is replaced. */
  async replace(kind: ServedKind, target: Target, value: Json): Promise<Changed> {
    const written = asWritten(value, kind.namespaced ? target.namespace : '');
    const path = `${pathOfKind(kind, target)}?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict${this.#dry('&')}`;
    for (let attempt = 1; ; attempt += 1) {
      const live = await this.get(kind, target);
      if (live === undefined) throw new WrongState('not found (use gatehouse create or gatehouse apply)');
      const body = { ...written, metadata: { resourceVersion: versionOf(live), ...mapAt(written, 'metadata') } };
      try {
        return { outcome: 'replaced', object: objectIn(await this.#send({ method: 'PUT', path, body })) };
      } catch (error) {
        const own = textAt(written, 'metadata', 'resourceVersion') !== '';
        if (own || !isConflict(error) || attempt >= CONFLICT_ATTEMPTS) throw error;
      }
    }
  }

  /** @param waitMs until it is gone, for what has finalizers */
  async delete(kind: ServedKind, target: Target, waitMs: number): Promise<Changed> {
    const path = pathOfKind(kind, target);
    let answer: Json;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      ...(this.#options.dryRun && { dryRun: ['All'] }),
    };
    const live = await this.get(kind, target);
    try {
      answer = objectIn(await this.#send({ method: 'DELETE', path, body }));
    } catch (error) {
      if (isNotFound(error)) throw new WrongState('not found', { cause: error });
      throw error;
    }
    const object = live ?? answer;
    if (this.#options.dryRun) return { outcome: 'deleted', object };
    const uid = textAt(object, 'metadata', 'uid');
    for (const end = Date.now() + waitMs; ; await wait(DELETED_LOOK_MS)) {
      const now = await this.get(kind, target);
      if (now === undefined || textAt(now, 'metadata', 'uid') !== uid) return { outcome: 'deleted', object };
      if (Date.now() >= end) return { outcome: 'deletion under way', object: now };
    }
  }

  async #takeOver(kind: ServedKind, target: Target, before: Json): Promise<Json | undefined> {
    let live: Json | undefined = before;
    for (let attempt = 1; live !== undefined; attempt += 1) {
      const owners = takenOver(live);
      if (owners === undefined) return live;
      const body = [
        { op: 'replace', path: '/metadata/managedFields', value: owners },
        { op: 'replace', path: '/metadata/resourceVersion', value: versionOf(live) },
      ];
      try {
        return objectIn(
          await this.#send({
            method: 'PATCH',
            path: `${pathOfKind(kind, target)}?fieldManager=${FIELD_MANAGER}`,
            body,
            contentType: 'application/json-patch+json',
          }),
        );
      } catch (error) {
        if (!isConflict(error) || attempt >= CONFLICT_ATTEMPTS) throw error;
        live = await this.get(kind, target);
      }
    }
    return live;
  }

  #dry(separator: '&'): string {
    return this.#options.dryRun ? `${separator}dryRun=All` : '';
  }

  /** A server that is busy says when to come again. */
  async #send(request: ApiRequest): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#client.request({ ...request, onWarning: this.#options.onWarning });
      } catch (error) {
        const busy = error instanceof ApiError && error.status === 429 && error.retryAfterMs !== undefined;
        if (!busy || attempt >= BUSY_ATTEMPTS) throw error;
        await wait(Math.min(error.retryAfterMs, 10_000));
      }
    }
  }
}

function objectIn(answer: unknown): Json {
  return isJson(answer) ? answer : {};
}

/** But for what controllers write meanwhile, and who owns what. */
function isSame(one: Json, other: Json): boolean {
  if (versionOf(one) === versionOf(other)) return true;
  const content = ({ status: _status, metadata, ...rest }: Json): unknown => {
    const {
      resourceVersion: _version,
      managedFields: _owners,
      generation: _generation,
      ...kept
    } = mapAt({ metadata }, 'metadata');
    return { ...rest, metadata: kept };
  };
  return isDeepStrictEqual(content(one), content(other));
}

function versionOf(object: Json): string {
  return textAt(object, 'metadata', 'resourceVersion');
}
