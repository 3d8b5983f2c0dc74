import { ROLLOUT_LABEL } from '../../policy/rollout/objects.ts';
import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { KINDS, type Listed, folderOf } from './listed.ts';

type StageKind = Listed['kind'];

/** The objects of all rollouts as they stand in the cluster, a moment late: to see that nothing changed without asking for each namespace. */
export class WatchedObjects {
  readonly #seen = new Map<string, Map<string, Listed>>();
  readonly #listed = new Set<StageKind>();
  readonly #watches: readonly ResourceWatch[];

  constructor(client: ApiClient) {
    this.#watches = KINDS.map((kind) => this.#follow(client, kind));
  }

  /** Undefined while it is not known. */
  in(namespace: string): readonly Listed[] | undefined {
    return this.#listed.size < KINDS.length ? undefined : [...(this.#seen.get(namespace)?.values() ?? [])];
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }

  #follow(client: ApiClient, kind: StageKind): ResourceWatch {
    let listed: Set<string> | undefined;
    let everListed = false;
    return new ResourceWatch({
      client,
      path: folderOf(kind),
      query: { labelSelector: ROLLOUT_LABEL },
      without: new Set(['managedFields']),
      onTold: (told) => {
        if (told.kind === 'listing') listed = new Set();
        else if (told.kind === 'put')
          for (const { namespace, name, json } of told.objects) {
            const key = `${kind}/${name}`;
            listed?.add(`${namespace}/${key}`);
            const all = this.#seen.get(namespace) ?? new Map<string, Listed>();
            all.set(key, { kind, json });
            this.#seen.set(namespace, all);
          }
        else if (told.kind === 'gone') this.#drop(told.object.namespace, `${kind}/${told.object.name}`);
        else if (told.kind === 'listed') {
          for (const [namespace, all] of this.#seen)
            for (const key of all.keys())
              if (key.startsWith(`${kind}/`) && listed?.has(`${namespace}/${key}`) === false) this.#drop(namespace, key);
          listed = undefined;
          this.#listed.add(kind);
          everListed = true;
        } else if (told.kind === 'trouble') this.#listed.delete(kind);
        else if (everListed) this.#listed.add(kind);
      },
    });
  }

  #drop(namespace: string, key: string): void {
    const all = this.#seen.get(namespace);
    all?.delete(key);
    if (all?.size === 0) this.#seen.delete(namespace);
  }
}
