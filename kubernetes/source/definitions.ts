import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import type { Told } from '../watch/machine.ts';
import { CUSTOM_GROUPS, nameOf, type Resource } from './resources.ts';
import { servedBy } from './served.ts';

export interface DefinitionListeners {
  /** A custom resource is there, in this version. */
  readonly onServed: (resource: Resource, version: string) => void;
  /** Its CustomResourceDefinition is gone for certain: so are its objects. */
  readonly onWithdrawn: (resource: Resource) => void;
  /** What is there is known, for the first time. */
  readonly onKnown: () => void;
  readonly onTold: (told: Told) => void;
}

const SOON_MS = 100;
const LATER_MS = 1_000;
/** A definition whose versions are none that are read here is never served to us. */
const PATIENCE = 20;
/** Without the right to see definitions new ones are looked for so often. */
const POLL_MS = 30_000;

/**
 * Which of the custom resources are there, as CustomResourceDefinitions come and go. A resource counts as withdrawn only when its
 * definition was deleted: an API server that starts or is overloaded may not list it, and policies must not vanish for that.
 */
export class Definitions {
  readonly #client: ApiClient;
  readonly #resources: readonly Resource[];
  readonly #listeners: DefinitionListeners;
  readonly #watch: ResourceWatch;
  /** Names of definitions of our groups that are there; undefined as long as they cannot be seen. */
  #defined: Set<string> | undefined;
  #listing = new Set<string>();
  readonly #served = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #again = false;
  #known = false;
  #patience = PATIENCE;
  #closed = false;

  constructor(client: ApiClient, resources: readonly Resource[], listeners: DefinitionListeners) {
    this.#client = client;
    this.#resources = resources.filter((one) => one.custom);
    this.#listeners = listeners;
    this.#watch = new ResourceWatch({
      client,
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      // Their schemas are megabytes.
      accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
      listAccept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      onTold: (told) => this.#told(told),
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watch.close();
  }

  #told(told: Told): void {
    this.#listeners.onTold(told);
    switch (told.kind) {
      case 'listing':
        this.#listing = new Set();
        return;
      case 'put': {
        const ours = told.objects.map(({ name }) => name).filter((name) => isOurs(name));
        for (const name of ours) {
          this.#listing.add(name);
          this.#defined?.add(name);
        }
        if (ours.length > 0 && this.#defined !== undefined) this.#changed(SOON_MS);
        return;
      }
      case 'gone':
        if (this.#defined?.delete(told.object.name) === true) this.#withdraw(told.object.name);
        return;
      case 'listed': {
        const before = this.#defined ?? new Set(this.#served.keys());
        this.#defined = this.#listing;
        for (const name of before) if (!this.#defined.has(name)) this.#withdraw(name);
        this.#changed(0);
        return;
      }
      case 'trouble':
        if (told.failure.kind === 'forbidden' && this.#defined === undefined) this.#askIn(0);
        return;
      case 'recovered':
        return;
    }
    told satisfies never;
  }

  #changed(ms: number): void {
    this.#patience = PATIENCE;
    this.#askIn(ms);
  }

  #withdraw(name: string): void {
    const resource = this.#resources.find((one) => nameOf(one) === name);
    if (resource === undefined || !this.#served.delete(name)) return;
    this.#listeners.onWithdrawn(resource);
  }

  #askIn(ms: number): void {
    if (this.#closed) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    this.#again = false;
    let next: number | undefined;
    try {
      next = this.#learn(await servedBy(this.#client, this.#resources));
    } catch {
      // The watch tells of a server that is not there.
      next = LATER_MS;
    }
    this.#asking = false;
    if (this.#again) next = SOON_MS;
    if (next !== undefined) this.#askIn(next);
  }

  /** @returns when to ask again */
  #learn(served: ReadonlyMap<string, string>): number | undefined {
    let missing = false;
    for (const resource of this.#resources) {
      const name = nameOf(resource);
      const version = served.get(name);
      const defined = this.#defined?.has(name) !== false;
      if (version === undefined) missing ||= this.#defined?.has(name) === true;
      else if (defined && this.#served.get(name) !== version) {
        this.#served.set(name, version);
        this.#listeners.onServed(resource, version);
      }
    }
    // A definition is served a moment after it was made.
    this.#patience -= 1;
    if (this.#patience <= 0) missing = false;
    if (!this.#known && (!missing || this.#defined === undefined)) {
      this.#known = true;
      this.#listeners.onKnown();
    }
    return this.#defined === undefined ? POLL_MS : missing ? LATER_MS : undefined;
  }
}

function isOurs(name: string): boolean {
  const dot = name.indexOf('.');
  return dot > 0 && CUSTOM_GROUPS.has(name.slice(dot + 1));
}
