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
  #isInEffect: (place: string) => boolean = () => false;

  seen(place: string, resource: Resource, version: string, { namespace, name, resourceVersion, json }: ApiObject): void {
    if (!resource.custom) return;
    const { generation } = mapAt(json, 'metadata');
    this.#objects.set(place, {
      resource,
      version,
      apiVersion: apiVersionOf(resource, version),
      namespace,
      name,
      uid: textAt(json, 'metadata', 'uid'),
      resourceVersion,
      generation: typeof generation === 'number' ? generation : undefined,
      status: mapAt(json, 'status'),
    });
  }

  gone(place: string): void {
    this.#objects.delete(place);
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
