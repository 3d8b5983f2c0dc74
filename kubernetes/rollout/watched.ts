import type { ApiClient } from '../api/client.ts';
import { type Json, mapAt, textAt } from '../api/json.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';

export const ROLLOUTS_PATH = '/apis/gatehouse.dev/v1alpha1/namespacerollouts';

export function rolloutPath(namespace: string, name?: string): string {
  const folder = `/apis/gatehouse.dev/v1alpha1/namespaces/${encodeURIComponent(namespace)}/namespacerollouts`;
  return name === undefined ? folder : `${folder}/${encodeURIComponent(name)}`;
}

/** A NamespaceRollout as it stands in the cluster: what admission does not read of it. */
export interface SeenRollout {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Json;
  readonly annotations: Json;
  readonly status: Json;
}

/** All NamespaceRollouts, with their annotations and status. */
export class WatchedRollouts {
  readonly #seen = new Map<string, SeenRollout>();
  readonly #watch: ResourceWatch;

  constructor(client: ApiClient, onSeen: (rollout: SeenRollout) => void) {
    let listed: Set<string> | undefined;
    this.#watch = new ResourceWatch({
      client,
      path: ROLLOUTS_PATH,
      onTold: (told) => {
        if (told.kind === 'listing') listed = new Set();
        if (told.kind === 'gone') this.#seen.delete(`${told.object.namespace}/${told.object.name}`);
        if (told.kind === 'listed') for (const key of this.#seen.keys()) if (listed?.has(key) === false) this.#seen.delete(key);
        if (told.kind === 'listed') listed = undefined;
        if (told.kind !== 'put') return;
        for (const { namespace, name, json } of told.objects) {
          const rollout: SeenRollout = {
            namespace,
            name,
            uid: textAt(json, 'metadata', 'uid'),
            labels: mapAt(json, 'metadata', 'labels'),
            annotations: mapAt(json, 'metadata', 'annotations'),
            status: mapAt(json, 'status'),
          };
          this.#seen.set(`${namespace}/${name}`, rollout);
          listed?.add(`${namespace}/${name}`);
          onSeen(rollout);
        }
      },
    });
  }

  get(namespace: string, name: string): SeenRollout | undefined {
    return this.#seen.get(`${namespace}/${name}`);
  }

  all(): readonly SeenRollout[] {
    return [...this.#seen.values()];
  }

  close(): void {
    this.#watch.close();
  }
}
