import { isDeepStrictEqual } from 'node:util';
import { DRY_RUN_ANNOTATION, ROLLOUT_LABEL, type RolloutObject } from '../../policy/rollout/objects.ts';
import type { ForeignPolicy, RolloutObjects } from '../../policy/rollout/ports.ts';
import { ApiError, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, type Json, listAt, mapAt, textAt } from '../api/json.ts';
import { KINDS, type Listed, pathOf, SECURITY_VERSION } from './listed.ts';
import type { WatchedObjects } from './watched-objects.ts';

/** As whom the objects of a stage are applied (kubernetes.io, "Server-Side Apply"). */
export const ROLLOUT_MANAGER = 'gatehouse-rollout';
/** Apart from it: who applies again without what it applied before takes that away. */
const DRY_RUN_MANAGER = 'gatehouse-rollout-dry-run';

/** Shorter than the time between the end of one leader and the beginning of the next. */
const WRITE_MS = 4_000;

/** Somebody else's is in the way: nothing of it is taken over. */
export class RolloutConflict extends Error {
  override readonly name = 'RolloutConflict';
}

/** Who decided once and does not any more must not undo what another does. */
export interface RightToWrite {
  /** Whether this replica decides about a namespace. Asked before each write. */
  isLeader(namespace: string): boolean;
  /** Asked before the first: whether nobody decided since what is to be written was. */
  isCurrent(namespace: string): Promise<boolean>;
}

const ALWAYS: RightToWrite = { isLeader: () => true, isCurrent: () => Promise.resolve(true) };

function decidedElsewhere(namespace: string): RolloutConflict {
  return new RolloutConflict(`the rollout of ${namespace} is decided elsewhere by now: nothing more is written here`);
}

/**
 * The objects of a stage, in a cluster. Between any two writes nobody is refused who is let through both before and after: what refuses whoever is not named goes
 * first and comes last, exceptions stand before what they except, and each policy that allows is complete in itself.
 */
export class ClusterObjects implements RolloutObjects {
  readonly #client: ApiClient;
  readonly #right: RightToWrite;
  readonly #watched: Pick<WatchedObjects, 'in'> | undefined;

  /** @param watched what is there as it was seen last, so that nobody need ask while nothing changes */
  constructor(client: ApiClient, right: RightToWrite = ALWAYS, watched?: Pick<WatchedObjects, 'in'>) {
    this.#client = client;
    this.#right = right;
    this.#watched = watched;
  }

  /** @throws RolloutConflict, ApiError or Unreachable; what was written until then stays, and is right by itself */
  async write(rollout: string, namespace: string, objects: readonly RolloutObject[]): Promise<void> {
    if (!(await this.#right.isCurrent(namespace))) throw decidedElsewhere(namespace);
    const found = await this.#list(namespace);
    const foreign = objects.filter((wanted) => found.some((one) => isSameObject(one, wanted) && labelOf(one) !== rollout));
    if (foreign.length > 0)
      throw new RolloutConflict(
        `${foreign.map(nameOf).join(', ')}: somebody else's (no label ${ROLLOUT_LABEL}=${rollout}); give it another name, or delete it`,
      );
    const stale = found.filter((one) => labelOf(one) === rollout && !objects.some((wanted) => isSameObject(one, wanted)));
    for (const one of inOrder(stale.filter(refusesOthers)).reverse()) await this.#delete(one);
    // Back to a dry run: first what refuses whoever is not named.
    const back = objects.filter((one) => refusesOthers(one) && isDryRun(one) && found.some((there) => isSameObject(there, one)));
    for (const one of back) await this.#apply(one, found);
    for (const one of inOrder(objects)) if (!back.includes(one)) await this.#apply(one, found);
    for (const one of inOrder(stale.filter((object) => !refusesOthers(object))).reverse()) await this.#delete(one);
  }

  async drift(rollout: string, namespace: string, objects: readonly RolloutObject[]): Promise<readonly string[]> {
    const seen = this.#watched?.in(namespace);
    if (seen !== undefined && differences(rollout, seen, objects).length === 0) return [];
    // What was just written is perhaps not seen yet.
    return differences(rollout, await this.#list(namespace, ROLLOUT_LABEL), objects);
  }

  /**
   * Sets policies of others to dry-run. The annotation alone is applied, and taken from whoever says otherwise: what is undone here refuses calls that were let
   * through until now.
   */
  async setDryRun(
    policies: readonly ForeignPolicy[],
  ): Promise<readonly { readonly policy: ForeignPolicy; readonly reason: string }[]> {
    const failed: { policy: ForeignPolicy; reason: string }[] = [];
    for (const policy of policies) {
      try {
        await this.#setDryRun(policy);
      } catch (error) {
        failed.push({ policy, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    return failed;
  }

  async #setDryRun({ namespace, name }: ForeignPolicy): Promise<void> {
    const path = pathOf('AuthorizationPolicy', namespace, name);
    let live: unknown;
    try {
      live = await this.#client.request({ path });
    } catch (error) {
      // What is gone refuses nobody.
      if (isNotFound(error)) return;
      throw error;
    }
    if (textAt(live, 'metadata', 'annotations', DRY_RUN_ANNOTATION) === 'true') return;
    if (!this.#right.isLeader(namespace)) throw decidedElsewhere(namespace);
    await this.#client.request({
      method: 'PATCH',
      timeoutMs: WRITE_MS,
      path: `${path}?fieldManager=${DRY_RUN_MANAGER}&force=true`,
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: `security.istio.io/${SECURITY_VERSION}`,
        kind: 'AuthorizationPolicy',
        // With its uid: what was deleted meanwhile is not made anew, as a policy without rules.
        metadata: { name, namespace, uid: textAt(live, 'metadata', 'uid'), annotations: { [DRY_RUN_ANNOTATION]: 'true' } },
      },
    });
  }

  /** All of both kinds; with a label only those that have it. */
  async #list(namespace: string, label = ''): Promise<readonly Listed[]> {
    const lists = await Promise.all(
      KINDS.map(async (kind) => {
        const all: Listed[] = [];
        let next = '';
        do {
          const page = `?limit=500${label === '' ? '' : `&labelSelector=${encodeURIComponent(label)}`}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`;
          const answer = await this.#client.request({ path: `${pathOf(kind, namespace)}${page}` });
          for (const json of listAt(answer, 'items')) if (isJson(json)) all.push({ kind, json });
          next = textAt(answer, 'metadata', 'continue');
        } while (next !== '');
        return all;
      }),
    );
    return lists.flat();
  }

  async #apply(object: RolloutObject, found: readonly Listed[]): Promise<void> {
    const { kind, metadata } = object;
    if (found.some((one) => isSameObject(one, object) && saysTheSame(one, object))) return;
    if (!this.#right.isLeader(metadata.namespace)) throw decidedElsewhere(metadata.namespace);
    const send = (force: boolean): Promise<unknown> =>
      this.#client.request({
        method: 'PATCH',
        timeoutMs: WRITE_MS,
        path: `${pathOf(kind, metadata.namespace, metadata.name)}?fieldManager=${ROLLOUT_MANAGER}&fieldValidation=Strict&force=${force}`,
        contentType: 'application/apply-patch+yaml',
        body: object,
      });
    try {
      await send(false);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      const others = managersIn(error.message).filter((name) => name !== ROLLOUT_MANAGER);
      if (others.length === 0 && /conflict/i.test(error.message)) {
        await send(true);
        return;
      }
      throw new RolloutConflict(
        `${nameOf(object)}: ${error.message} (it is the rollout's, and somebody else wrote to it; take those fields out there, or delete it)`,
        { cause: error },
      );
    }
  }

  /** Only the very object that was seen. */
  async #delete({ kind, json }: Listed): Promise<void> {
    const [namespace = '', name, uid] = ['namespace', 'name', 'uid'].map((field) => textAt(json, 'metadata', field));
    if (!this.#right.isLeader(namespace)) throw decidedElsewhere(namespace);
    try {
      await this.#client.request({
        method: 'DELETE',
        timeoutMs: WRITE_MS,
        path: pathOf(kind, namespace, name),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
      });
    } catch (error) {
      if (!isNotFound(error) && !(error instanceof ApiError && error.status === 409)) throw error;
    }
  }
}

function differences(rollout: string, found: readonly Listed[], objects: readonly RolloutObject[]): readonly string[] {
  const changed = objects.filter((wanted) => !found.some((one) => isSameObject(one, wanted) && saysTheSame(one, wanted)));
  const added = found.filter((one) => labelOf(one) === rollout && !objects.some((wanted) => isSameObject(one, wanted)));
  return [...changed, ...added].map(nameOf).sort();
}

/** Whoever is not named elsewhere is refused by it: a policy that allows nothing, or STRICT for a whole namespace. */
function refusesOthers(object: RolloutObject | Listed): boolean {
  return rank(object) % 2 === 1;
}

/** Exceptions of mutual TLS, mutual TLS, policies of workloads, the policy of all others. */
function rank(object: RolloutObject | Listed): number {
  const json: Json = 'json' in object ? object.json : { ...object };
  const narrow = 'selector' in mapAt(json, 'spec');
  return (object.kind === 'PeerAuthentication' ? 0 : 2) + (narrow ? 0 : 1);
}

function inOrder<T extends RolloutObject | Listed>(objects: readonly T[]): T[] {
  return [...objects].sort((one, other) => rank(one) - rank(other) || (nameOf(one) < nameOf(other) ? -1 : 1));
}

function isDryRun({ metadata }: RolloutObject): boolean {
  return metadata.annotations?.[DRY_RUN_ANNOTATION] === 'true';
}

function metadataOf(object: RolloutObject | Listed): Json {
  return 'json' in object ? mapAt(object.json, 'metadata') : { ...object.metadata };
}

function labelOf({ json }: Listed): string {
  return textAt(json, 'metadata', 'labels', ROLLOUT_LABEL);
}

function nameOf(object: RolloutObject | Listed): string {
  const { namespace, name } = metadataOf(object);
  return `${object.kind} ${String(namespace)}/${String(name)}`;
}

function isSameObject(one: Listed, other: RolloutObject): boolean {
  return one.kind === other.kind && textAt(one.json, 'metadata', 'name') === other.metadata.name;
}

/** What decides about calls: the spec, and whether it is a dry run. */
function saysTheSame({ json }: Listed, wanted: RolloutObject): boolean {
  const annotations = wanted.metadata.annotations ?? {};
  const labels = Object.entries(wanted.metadata.labels);
  return (
    textAt(json, 'metadata', 'annotations', DRY_RUN_ANNOTATION) === (annotations[DRY_RUN_ANNOTATION] ?? '') &&
    Object.entries(annotations).every(([name, text]) => textAt(json, 'metadata', 'annotations', name) === text) &&
    labels.every(([name, text]) => textAt(json, 'metadata', 'labels', name) === text) &&
    isDeepStrictEqual(mapAt(json, 'spec'), JSON.parse(JSON.stringify(wanted.spec)))
  );
}

/** As the API server words it: `conflict with "kubectl" using v1`, or `conflicts with "a", "b" ...`. */
function managersIn(message: string): readonly string[] {
  return [...message.matchAll(/"([^"]+)"(?= using| with subresource|:|,|$)/g)].flatMap(([, name]) => name ?? []);
}
