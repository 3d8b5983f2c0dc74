import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { CONTROLLERS } from '../../mesh/gateway-api/classes.ts';
import { secretsIn } from '../../mesh/admit/check/secret-state.ts';
import { judge } from '../../mesh/gateway-api/status/judge.ts';
import { mergedStatus } from '../../mesh/gateway-api/status/merge.ts';
import type { ObjectStatus } from '../../mesh/gateway-api/status/status.ts';
import { GATEWAY_API_GROUP, writtenKind } from '../../mesh/model/gateway-api-kinds.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { ApiError, isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import type { Json } from '../api/json.ts';
import { objectPath } from '../source/resources.ts';
import { acceptedBecause, type Condition, type Progress, programmedBecause, stands, withConditions } from './conditions.ts';
import type { Observed, ObservedObjects } from './observed.ts';
import { refusalEvent } from './refusal-event.ts';
import { Rounds } from './rounds.ts';

export interface StatusSources {
  readonly observed: ObservedObjects;
  readonly snapshot: () => Snapshot;
  /** All that is wrong now. */
  readonly diagnostics: () => readonly Diagnostic[];
  /** Objects that not all proxies have, by place; and how many proxies there are. Undefined while that is not known. */
  readonly pending: () => { readonly objects: ReadonlyMap<string, Progress>; readonly proxies: number } | undefined;
}

export interface StatusWriterOptions extends StatusSources {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly clock: () => Date;
  /** Only one replica writes. */
  readonly isLeader: () => boolean;
  readonly everyMs?: number;
}

interface Wish {
  readonly place: string;
  readonly object: Observed;
  readonly status: Json;
  readonly refusal: Condition | undefined;
  /** Whether an object is accepted is told before how far it has come. */
  readonly urgent: boolean;
}

const EVERY_MS = 1_000;
/** So many at a time, so that a change of the whole mesh is no storm of writes. */
const MOST_AT_ONCE = 20;
const REST_MS = 10_000;
/** With nothing to write, and nothing known that proxies do not have yet, it is looked only so many rounds later: looking costs what the mesh has. */
const IDLE_ROUNDS = 5;

/**
 * Writes what became of objects into their status, and an Event for each refusal. What stands there is known from the watches, so that
 * another replica goes on where the last leader ended; a write is of the version that was seen, so that nobody's is undone.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #rounds: Rounds;
  /** The version of an object that was written to: until a later one was seen, what stands there is not known. */
  readonly #written = new Map<string, string>();
  #judged: { readonly of: Snapshot; readonly statuses: ReadonlyMap<string, ObjectStatus> } | undefined;
  #restUntil = 0;
  /** What the last look saw; undefined: there was something to do. */
  #idleSince: { readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[]; readonly seen: number } | undefined;
  #idleRounds = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#rounds = new Rounds(() => this.#round(), options.everyMs ?? EVERY_MS);
  }

  close(): void {
    this.#rounds.close();
  }

  async #round(): Promise<void> {
    const { clock, isLeader, log } = this.#options;
    if (!isLeader() || clock().getTime() < this.#restUntil) return;
    if (this.#isIdle()) return;
    const wishes = this.#wishes();
    if (wishes.length === 0 && (this.#options.pending()?.objects.size ?? 0) === 0)
      this.#idleSince = {
        snapshot: this.#options.snapshot(),
        diagnostics: this.#options.diagnostics(),
        seen: this.#options.observed.times,
      };
    const first = [...wishes.filter(({ urgent }) => urgent), ...wishes.filter(({ urgent }) => !urgent)].slice(0, MOST_AT_ONCE);
    try {
      for (const wish of first) if (!this.#rounds.closed && isLeader()) await this.#write(wish);
    } catch (error) {
      this.#restUntil = clock().getTime() + ((error instanceof ApiError ? error.retryAfterMs : undefined) ?? REST_MS);
      log.warn({ err: error }, 'the status of objects cannot be written now');
    }
  }

  #isIdle(): boolean {
    const { snapshot, diagnostics, observed } = this.#options;
    const since = this.#idleSince;
    const same = since?.snapshot === snapshot() && since.diagnostics === diagnostics() && since.seen === observed.times;
    if (same && ++this.#idleRounds < IDLE_ROUNDS) return true;
    this.#idleSince = undefined;
    this.#idleRounds = 0;
    return false;
  }

  #wishes(): readonly Wish[] {
    const { observed, diagnostics, pending } = this.#options;
    const errors = Map.groupBy(
      diagnostics().filter(({ severity }) => severity === 'error'),
      ({ file }) => file,
    );
    const progress = pending();
    const proxies = progress?.proxies ?? 0;
    const wishes: Wish[] = [];
    for (const [place, object] of observed.objects) {
      if (this.#written.get(place) === object.resourceVersion) continue;
      this.#written.delete(place);
      if (object.resource.group === GATEWAY_API_GROUP) {
        const wish = this.#gatewayApiWish(place, object);
        if (wish !== undefined) wishes.push(wish);
        continue;
      }
      const there = observed.isInEffect(place);
      const all = { applied: proxies, of: proxies, lagging: [], rejectedBy: [] };
      const accepted = acceptedBecause(errors.get(place) ?? [], there);
      const programmed =
        progress === undefined ? undefined : programmedBecause(there ? (progress.objects.get(place) ?? all) : undefined);
      const { status, generation } = object;
      const urgent = !stands(accepted, status, generation);
      if (!urgent && (programmed === undefined || stands(programmed, status, generation))) continue;
      wishes.push({
        place,
        object,
        status: {
          conditions: withConditions(
            [accepted, ...(programmed === undefined ? [] : [programmed])],
            status,
            generation,
            this.#options.clock(),
          ),
        },
        refusal: urgent && accepted.status === 'False' ? accepted : undefined,
        urgent,
      });
    }
    return wishes;
  }

  /** The Gateway API says itself what its conditions mean. */
  #gatewayApiWish(place: string, object: Observed): Wish | undefined {
    const { kind } = object.resource;
    const judged = this.#statuses().get(`${kind} ${object.namespace}/${object.name}`);
    if (judged === undefined) return undefined;
    const { generation } = object;
    const status = mergedStatus(judged, object.status, { generation, now: this.#options.clock() }, CONTROLLERS);
    // As it comes back: without fields that are undefined.
    const plain: unknown = JSON.parse(JSON.stringify(status));
    if (isDeepStrictEqual(plain, object.status)) return undefined;
    return { place, object, status, refusal: undefined, urgent: false };
  }

  #statuses(): ReadonlyMap<string, ObjectStatus> {
    const snapshot = this.#options.snapshot();
    if (this.#judged?.of === snapshot) return this.#judged.statuses;
    const statuses = new Map(
      judge(snapshot, secretsIn([])).statuses.map((one) => [
        `${writtenKind(one.kind)} ${one.meta.namespace}/${one.meta.name}`,
        one,
      ]),
    );
    this.#judged = { of: snapshot, statuses };
    return statuses;
  }

  async #write({ place, object, status, refusal }: Wish): Promise<void> {
    const { client, log, clock } = this.#options;
    const { resource, version, resourceVersion } = object;
    this.#written.set(place, resourceVersion);
    try {
      await client.request({
        method: 'PATCH',
        path: `${objectPath(resource, version, object)}/status`,
        body: { metadata: { resourceVersion }, status },
      });
    } catch (error) {
      // Another version, or none: the watch tells of it.
      if (isConflict(error) || isNotFound(error)) return;
      this.#written.delete(place);
      if (!(error instanceof ApiError) || error.status === 429 || error.status >= 500) throw error;
      // A status that the server does not take would be refused again and again.
      this.#written.set(place, resourceVersion);
      log.warn({ object: place, err: error }, 'its status cannot be written');
      return;
    }
    if (refusal !== undefined) await this.#tell(object, refusal, clock());
  }

  async #tell(object: Observed, refusal: Condition, now: Date): Promise<void> {
    const namespace = object.namespace === '' ? 'default' : object.namespace;
    try {
      await this.#options.client.request({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/events`,
        body: refusalEvent(object, namespace, refusal, now),
      });
    } catch (error) {
      this.#options.log.warn({ object: object.name, err: error }, 'an Event cannot be written');
    }
  }
}
