import type { Logger } from 'pino';
import type { ApiClient } from '../api/client.ts';
import type { Failure, Told } from '../watch/machine.ts';
import type { ApiObject } from '../watch/object.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { Definitions } from './definitions.ts';
import { apiVersionOf, nameOf, pathOf, placeOf, type Resource, RESOURCES } from './resources.ts';
import { pruned } from './prune.ts';
import type { Json } from '../api/json.ts';
import type { ObservedObjects } from '../status/observed.ts';

export interface ClusterObjectsOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  /** `object` as admission reads it. */
  readonly onPut: (place: string, object: Json) => void;
  readonly onRemove: (place: string) => void;
  /** Everything that is there was told once; again never. */
  readonly onSynced: () => void;
  /** Told of status as well. */
  readonly observed?: ObservedObjects;
  readonly resources?: readonly Resource[];
  readonly idleMs?: number;
}

interface Followed {
  readonly resource: Resource;
  readonly version: string;
  watch: ResourceWatch | undefined;
  /** What is there, and in a list that goes on whether it was in it. */
  readonly places: Map<string, boolean>;
  listed: boolean;
}

/** The objects of a cluster that the mesh is made of, followed as they change. Objects that cannot be seen for a while stay as they were. */
export class ClusterObjects {
  readonly #options: ClusterObjectsOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #definitions: Definitions;
  readonly #troubled = new Map<string, Failure>();
  #known = false;
  #synced = false;
  #closed = false;

  constructor(options: ClusterObjectsOptions) {
    this.#options = options;
    const resources = options.resources ?? RESOURCES;
    for (const resource of resources) if (!resource.custom) this.#follow(resource, resource.versions[0] ?? 'v1');
    this.#definitions = new Definitions(options.client, resources, {
      onServed: (resource, version) => this.#follow(resource, version),
      onWithdrawn: (resource) => this.#withdraw(resource),
      onKnown: () => {
        this.#known = true;
        this.#settle();
      },
      onTold: (told) => this.#note('customresourcedefinitions.apiextensions.k8s.io', told),
    });
  }

  /** Resources of which changes are not seen now, and why. */
  get troubled(): ReadonlyMap<string, Failure> {
    return this.#troubled;
  }

  /** What the start waits for. */
  get waitingFor(): readonly string[] {
    return [...this.#followed.values()].filter(({ listed }) => !listed).map(({ resource }) => nameOf(resource));
  }

  /** Names of the custom resources that are there. */
  get custom(): readonly string[] {
    return [...this.#followed.values()].filter(({ resource }) => resource.custom).map(({ resource }) => nameOf(resource));
  }

  close(): void {
    this.#closed = true;
    this.#definitions.close();
    for (const { watch } of this.#followed.values()) watch?.close();
  }

  #follow(resource: Resource, version: string): void {
    const name = nameOf(resource);
    const before = this.#followed.get(name);
    before?.watch?.close();
    // In another version it is the same objects.
    const places = before?.places ?? new Map<string, boolean>();
    const followed: Followed = { resource, version, watch: undefined, places, listed: before?.listed ?? false };
    this.#followed.set(name, followed);
    const { client, log, idleMs } = this.#options;
    if (this.#synced) log.info({ resource: name, version }, 'a custom resource is there now');
    followed.watch = new ResourceWatch({
      client,
      path: pathOf(resource, version),
      ...(resource.query !== undefined && { query: resource.query }),
      ...(idleMs !== undefined && { idleMs }),
      onTold: (told) => this.#told(followed, told),
    });
  }

  #withdraw(resource: Resource): void {
    const name = nameOf(resource);
    const followed = this.#followed.get(name);
    if (followed === undefined) return;
    followed.watch?.close();
    this.#followed.delete(name);
    this.#troubled.delete(name);
    this.#options.log.info({ resource: name }, 'a custom resource was withdrawn');
    for (const place of followed.places.keys()) this.#remove(place);
    this.#settle();
  }

  #told(followed: Followed, told: Told): void {
    if (this.#closed) return;
    this.#note(nameOf(followed.resource), told);
    const { places, resource } = followed;
    switch (told.kind) {
      case 'listing':
        for (const place of places.keys()) places.set(place, false);
        return;
      case 'put':
        for (const object of told.objects) this.#put(followed, object);
        return;
      case 'gone': {
        const place = placeOf(resource, told.object);
        if (places.delete(place)) this.#remove(place);
        return;
      }
      case 'listed':
        for (const [place, seen] of places) {
          if (seen) continue;
          places.delete(place);
          this.#remove(place);
        }
        followed.listed = true;
        this.#settle();
        return;
      case 'trouble':
      case 'recovered':
        return;
    }
    told satisfies never;
  }

  #put({ resource, version, places }: Followed, object: ApiObject): void {
    const place = placeOf(resource, object);
    places.set(place, true);
    this.#options.observed?.seen(place, resource, version, object);
    this.#options.onPut(place, pruned(resource.kind, apiVersionOf(resource, version), object.json));
  }

  #remove(place: string): void {
    this.#options.observed?.gone(place);
    this.#options.onRemove(place);
  }

  #settle(): void {
    if (this.#synced || !this.#known || this.waitingFor.length > 0) return;
    this.#synced = true;
    this.#options.onSynced();
  }

  #note(resource: string, told: Told): void {
    const before = this.#troubled.get(resource);
    if (told.kind === 'recovered' || told.kind === 'listed') {
      if (this.#troubled.delete(resource)) this.#options.log.info({ resource }, 'its changes are seen again');
      return;
    }
    if (told.kind !== 'trouble') return;
    const { failure, retryMs } = told;
    this.#troubled.set(resource, failure);
    if (before?.kind === failure.kind) return;
    this.#options.log.warn({ resource, failure, retryMs }, 'its changes are not seen now; what was seen stays in effect');
  }
}
