import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { mapAt, textAt } from '../api/json.ts';

/** One ConfigMap, at one version. */
export interface StoredMap {
  readonly name: string;
  readonly data: Readonly<Record<string, string>>;
  readonly resourceVersion: string;
}

/** ConfigMaps of the control plane's namespace. Writing is optimistic: undefined for who was not the last to read. */
export class ConfigMaps {
  readonly #client: ApiClient;
  readonly #namespace: string;

  constructor(client: ApiClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async read(name: string): Promise<StoredMap | undefined> {
    try {
      return storedMap(await this.#client.request({ path: this.#path(`/${name}`) }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** @param before undefined: there is none yet */
  async write(
    name: string,
    data: Readonly<Record<string, string>>,
    labels: Readonly<Record<string, string>>,
    before: StoredMap | undefined,
  ): Promise<StoredMap | undefined> {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: this.#namespace,
        labels: { 'app.kubernetes.io/part-of': 'gatehouse', ...labels },
        ...(before !== undefined && { resourceVersion: before.resourceVersion }),
      },
      data,
    };
    try {
      const request =
        before === undefined
          ? ({ method: 'POST', path: this.#path('') } as const)
          : ({ method: 'PUT', path: this.#path(`/${name}`) } as const);
      return storedMap(await this.#client.request({ ...request, body }));
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  #path(rest: string): string {
    return `/api/v1/namespaces/${encodeURIComponent(this.#namespace)}/configmaps${rest}`;
  }
}

function storedMap(object: unknown): StoredMap {
  const data = Object.entries(mapAt(object, 'data')).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : []));
  return {
    name: textAt(object, 'metadata', 'name'),
    data: Object.fromEntries(data),
    resourceVersion: textAt(object, 'metadata', 'resourceVersion'),
  };
}
