import type { Logger } from 'pino';
import type { ApiClient } from '../api/client.ts';
import { mapAt } from '../api/json.ts';
import type { Told } from '../watch/machine.ts';
import type { ApiObject } from '../watch/object.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';

/** The data of one Secret: decoded texts by key. */
export type SecretData = ReadonlyMap<string, string>;

export interface WatchedSecretsOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly idleMs?: number;
}

interface Followed {
  readonly namespace: string;
  readonly name: string;
  watch: ResourceWatch | undefined;
  data: SecretData | undefined;
  /** In a list that goes on: whether it was in it. */
  seen: boolean;
  /** It was once said whether it is there, and whether it may be read. */
  settled: boolean;
  forbidden: boolean;
}

/** Whoever asks for names is a gateway's Envoy, whose listeners the control plane makes. */
const MOST_NAMES = 1000;

/**
 * Secrets of a cluster, each followed by its name from the first time that somebody asks for it: a Role that names them is enough, and no
 * other Secret is ever in this process. Who may read what is the API server's to say (RBAC), for this process's own ServiceAccount.
 * While the server is away what was seen stays.
 */
export class WatchedSecrets {
  readonly #options: WatchedSecretsOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #listeners = new Set<() => void>();
  #closed = false;

  constructor(options: WatchedSecretsOptions) {
    this.#options = options;
  }

  /** `pending`: it is not known yet whether it is there. */
  get(namespace: string, name: string): SecretData | 'pending' | undefined {
    const followed = this.#followed.get(`${namespace}/${name}`) ?? this.#follow(namespace, name);
    if (followed === undefined) return undefined;
    return followed.settled ? followed.data : 'pending';
  }

  /** False once the server has said that this process may not read it. */
  granted(_gateways: string, namespace: string, name: string): boolean {
    return this.#followed.get(`${namespace}/${name}`)?.forbidden !== true;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    for (const { watch } of this.#followed.values()) watch?.close();
    this.#followed.clear();
  }

  #follow(namespace: string, name: string): Followed | undefined {
    if (this.#closed || this.#followed.size >= MOST_NAMES) return undefined;
    const followed: Followed = {
      ...{ namespace, name, watch: undefined, data: undefined },
      ...{ seen: false, settled: false, forbidden: false },
    };
    this.#followed.set(`${namespace}/${name}`, followed);
    const { client, idleMs } = this.#options;
    followed.watch = new ResourceWatch({
      client,
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
      query: { fieldSelector: `metadata.name=${name}` },
      ...(idleMs !== undefined && { idleMs }),
      onTold: (told) => this.#told(followed, told),
    });
    return followed;
  }

  #told(followed: Followed, told: Told): void {
    switch (told.kind) {
      case 'listing':
        followed.seen = false;
        return;
      case 'put':
        for (const object of told.objects) if (object.name === followed.name) this.#put(followed, object);
        return;
      case 'gone':
        if (told.object.name === followed.name) this.#set(followed, { data: undefined });
        return;
      case 'listed':
        this.#set(followed, { settled: true, forbidden: false, ...(!followed.seen && { data: undefined }) });
        return;
      case 'trouble':
        if (told.failure.kind === 'forbidden') this.#forbidden(followed, told.failure.message);
        return;
      case 'recovered':
        return;
    }
    told satisfies never;
  }

  #put(followed: Followed, { json }: ApiObject): void {
    followed.seen = true;
    const data = Object.entries(mapAt(json, 'data')).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, Buffer.from(value, 'base64').toString()] as const] : [],
    );
    this.#set(followed, { data: new Map(data), settled: true, forbidden: false });
  }

  #forbidden(followed: Followed, reason: string): void {
    const { namespace, name, forbidden } = followed;
    if (!forbidden)
      this.#options.log.error(
        { secret: `${namespace}/${name}`, reason },
        `this pod's ServiceAccount may not read a Secret that a Gateway names (give it a Role with get, list and watch on secrets in ${namespace})`,
      );
    this.#set(followed, { settled: true, forbidden: true, data: undefined });
  }

  #set(followed: Followed, change: Partial<Followed>): void {
    const before = { ...followed };
    Object.assign(followed, change);
    const same =
      before.settled === followed.settled && before.forbidden === followed.forbidden && sameData(before.data, followed.data);
    if (!same) for (const listener of this.#listeners) listener();
  }
}

function sameData(one: SecretData | undefined, other: SecretData | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}
