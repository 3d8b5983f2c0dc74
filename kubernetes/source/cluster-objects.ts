import type { Logger } from 'pino';
import type { ApiClient } from '../api/client.ts';
import type { Failure, Told } from '../watch/machine.ts';
import type { ApiObject } from '../watch/object.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { Definitions } from './definitions.ts';
import { configMapsNamedBy } from './references.ts';
import { apiVersionOf, CONFIG_MAPS, nameOf, pathOf, placeOf, type Resource, RESOURCES } from './resources.ts';
import { pruned, unreadOf } from './prune.ts';
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

const NONE: ReadonlySet<string> = new Set();

/** The objects of a cluster that the mesh is made of, followed as they change. Objects that cannot be seen for a while stay as they were. */
export class ClusterObjects {
  readonly #options: ClusterObjectsOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #definitions: Definitions;
  readonly #troubled = new Map<string, Failure>();
  /** Which ConfigMaps an object names, by its place; and by how many each is named. */
  readonly #named = new Map<string, ReadonlySet<string>>();
  readonly #timesNamed = new Map<string, number>();
  #known = false;
  #synced = false;
  #closed = false;

  constructor(options: ClusterObjectsOptions) {
    this.#options = options;
    const resources = options.resources ?? RESOURCES;
    for (const resource of resources)
      if (!resource.custom && resource.byReference !== true) this.#follow(resource, resource.versions[0] ?? 'v1');
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
    return [...this.#followed].filter(([, { listed }]) => !listed).map(([name]) => name);
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
      without: unreadOf(resource.kind),
      ...(resource.query !== undefined && { query: resource.query }),
      ...(idleMs !== undefined && { idleMs }),
      onTold: (told) => this.#told(name, followed, told),
    });
  }

  /** ConfigMaps that are named by something are followed, each by itself. */
  #refer(place: string, now: ReadonlySet<string>): void {
    const before = this.#named.get(place) ?? NONE;
    if (now.size === 0) this.#named.delete(place);
    else this.#named.set(place, now);
    for (const name of now) {
      if (before.has(name)) continue;
      const times = this.#timesNamed.get(name) ?? 0;
      this.#timesNamed.set(name, times + 1);
      if (times === 0) this.#followConfigMap(name);
    }
    for (const name of before) {
      if (now.has(name)) continue;
      const times = (this.#timesNamed.get(name) ?? 1) - 1;
      if (times > 0) this.#timesNamed.set(name, times);
      else {
        this.#timesNamed.delete(name);
        this.#drop(`${nameOf(CONFIG_MAPS)}/${name}`);
      }
    }
  }

  #followConfigMap(named: string): void {
    const slash = named.indexOf('/');
    const followed: Followed = { resource: CONFIG_MAPS, version: 'v1', watch: undefined, places: new Map(), listed: false };
    const key = `${nameOf(CONFIG_MAPS)}/${named}`;
    this.#followed.set(key, followed);
    const { client, idleMs } = this.#options;
    followed.watch = new ResourceWatch({
      client,
      path: pathOf(CONFIG_MAPS, 'v1', named.slice(0, slash)),
      query: { fieldSelector: `metadata.name=${named.slice(slash + 1)}` },
      ...(idleMs !== undefined && { idleMs }),
      onTold: (told) => this.#told(key, followed, told),
    });
  }

  /** Ends following, and all objects of it are gone. */
  #drop(key: string): void {
    const followed = this.#followed.get(key);
    if (followed === undefined) return;
    followed.watch?.close();
    this.#followed.delete(key);
    this.#troubled.delete(key);
    for (const place of followed.places.keys()) this.#remove(place);
    this.#settle();
  }

  #withdraw(resource: Resource): void {
    const name = nameOf(resource);
    if (!this.#followed.has(name)) return;
    this.#options.log.info({ resource: name }, 'a custom resource was withdrawn');
    this.#drop(name);
  }

  #told(key: string, followed: Followed, told: Told): void {
    if (this.#closed) return;
    this.#note(key, told);
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
    this.#refer(place, configMapsNamedBy(resource, object.namespace, object.json));
    this.#options.observed?.seen(place, resource, version, object);
    this.#options.onPut(place, pruned(resource.kind, apiVersionOf(resource, version), object.json));
  }

  #remove(place: string): void {
    this.#refer(place, NONE);
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
