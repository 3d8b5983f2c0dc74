import { createHash } from 'node:crypto';
import { type Json, mapAt, textAt } from '../api/json.ts';
import { apiVersionOf, type Resource } from '../source/resources.ts';
import type { ApiObject } from '../watch/object.ts';

/** What stands in the cluster beside an object's spec. */
export interface Observed {
  readonly resource: Resource;
  readonly version: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number | undefined;
  readonly status: Json;
}

/** Objects of which the status is ours to write, as the watches last saw them: what admission reads has no status. */
export class ObservedObjects {
  readonly #objects = new Map<string, Observed>();
  /** The sum (exclusive or) of all objects' digests, so that a change costs one of them. */
  #digest = 0n;
  /** The last changes: what the digest was before each. */
  #changes: { readonly before: bigint; readonly place: string }[] = [];
  #isInEffect: (place: string) => boolean = () => false;
  #times = 0;

  /** How often something was seen or went. */
  get times(): number {
    return this.#times;
  }

  seen(place: string, resource: Resource, version: string, { namespace, name, resourceVersion, json }: ApiObject): void {
    if (!resource.custom) return;
    this.#times += 1;
    const { generation } = mapAt(json, 'metadata');
    const known = this.#objects.get(place);
    const uid = textAt(json, 'metadata', 'uid');
    if (known?.generation !== generation || known?.uid !== uid)
      this.#changed(place, digestOf(known, place) ^ digestOf({ uid, generation }, place));
    this.#objects.set(place, {
      resource,
      version,
      apiVersion: apiVersionOf(resource, version),
      namespace,
      name,
      uid,
      resourceVersion,
      generation: typeof generation === 'number' ? generation : undefined,
      status: mapAt(json, 'status'),
    });
  }

  gone(place: string): void {
    this.#changed(place, digestOf(this.#objects.get(place), place));
    if (this.#objects.delete(place)) this.#times += 1;
  }

  /** Which objects there are, at which generation: equal where replicas have seen the same. */
  get configuration(): string {
    return this.#digest.toString(16);
  }

  /** Places of what is not as it was in a configuration; undefined for one that is not known, or not any more. */
  changedSince(configuration: string): ReadonlySet<string> | undefined {
    if (configuration === this.configuration) return new Set();
    const at = this.#changes.findLastIndex(({ before }) => before.toString(16) === configuration);
    return at < 0 ? undefined : new Set(this.#changes.slice(at).map(({ place }) => place));
  }

  #changed(place: string, by: bigint): void {
    if (by === 0n) return;
    this.#changes.push({ before: this.#digest, place });
    if (this.#changes.length > 2 * MOST_CHANGES) this.#changes = this.#changes.slice(-MOST_CHANGES);
    this.#digest ^= by;
  }

  /** Whether what an object says, now or when it was last admitted, is in effect. */
  isInEffect(place: string): boolean {
    return this.#isInEffect(place);
  }

  /** Told by whoever makes the mesh of these objects. */
  answeredBy(isInEffect: (place: string) => boolean): void {
    this.#isInEffect = isInEffect;
  }

  get objects(): ReadonlyMap<string, Observed> {
    return this.#objects;
  }
}

/** Replicas are seconds apart at most. */
const MOST_CHANGES = 1_000;

function digestOf(object: { readonly uid: string; readonly generation: unknown } | undefined, place: string): bigint {
  if (object === undefined) return 0n;
  const hash = createHash('sha256').update(`${place} ${object.uid} ${String(object.generation)}`);
  return hash.digest().readBigUInt64BE();
}
