import { isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { listAt, mapAt, textAt } from '../api/json.ts';

/** A kind as an API server serves it. */
export interface ServedKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Where objects are; `namespace` and `name` empty: all. */
export interface Target {
  readonly namespace: string;
  readonly name: string;
}

/** Which kinds an API server has (kubernetes.io, "API discovery"): asked once for each group and version. */
export class ApiResources {
  readonly #client: ApiClient;
  readonly #lists = new Map<string, Promise<readonly ServedKind[]>>();

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Undefined when there is no such kind. @throws what `request` throws, but for what is not there */
  async find(apiVersion: string, kind: string): Promise<ServedKind | undefined> {
    return (await this.#kindsOf(apiVersion)).find((one) => one.kind === kind);
  }

  /** A definition may have come: the next time it is asked anew. */
  forget(apiVersion: string): void {
    this.#lists.delete(apiVersion);
  }

  /** The first of several versions that has the kind. */
  async first(apiVersions: readonly string[], kind: string): Promise<ServedKind | undefined> {
    for (const apiVersion of apiVersions) {
      const found = await this.find(apiVersion, kind);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #kindsOf(apiVersion: string): Promise<readonly ServedKind[]> {
    const known = this.#lists.get(apiVersion);
    if (known !== undefined) return known;
    const asked = this.#ask(apiVersion);
    this.#lists.set(apiVersion, asked);
    return asked;
  }

  async #ask(apiVersion: string): Promise<readonly ServedKind[]> {
    try {
      const answer = await this.#client.request({ path: rootOf(apiVersion) });
      return listAt(answer, 'resources').flatMap((one) => {
        const plural = textAt(one, 'name');
        // Subresources are listed beside their resources.
        if (plural === '' || plural.includes('/')) return [];
        return [{ apiVersion, kind: textAt(one, 'kind'), plural, namespaced: mapAt({ one }, 'one')['namespaced'] === true }];
      });
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }
}

/** The path of an object, or of all of a kind in a namespace or in every one. */
export function pathOfKind({ apiVersion, plural, namespaced }: ServedKind, { namespace, name }: Target): string {
  const place = namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${rootOf(apiVersion)}${place}/${plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`;
}

function rootOf(apiVersion: string): string {
  const path = apiVersion.split('/').map(encodeURIComponent).join('/');
  return apiVersion.includes('/') ? `/apis/${path}` : `/api/${path}`;
}
