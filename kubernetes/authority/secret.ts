import type { SecretData } from '../../ca/key-store/kubernetes-secret.ts';
import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, mapAt, textAt } from '../api/json.ts';

/** One Secret of a cluster, at one version. */
export interface StoredSecret {
  readonly data: SecretData;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** One Secret by its name. Writing is optimistic: who was not the last to read is told so. */
export class SecretStore {
  readonly #client: ApiClient;
  readonly #folder: string;
  readonly #namespace: string;
  readonly #secret: string;
  readonly #labels: Readonly<Record<string, string>>;

  constructor(client: ApiClient, namespace: string, secret: string, labels: Readonly<Record<string, string>> = {}) {
    this.#client = client;
    this.#labels = labels;
    this.#folder = `/api/v1/namespaces/${namespace}/secrets`;
    this.#namespace = namespace;
    this.#secret = secret;
  }

  /** `namespace/name`. */
  get name(): string {
    return `${this.#namespace}/${this.#secret}`;
  }

  /** What a watch of it alone asks for. */
  get watched(): { readonly path: string; readonly query: Readonly<Record<string, string>> } {
    return { path: this.#folder, query: { fieldSelector: `metadata.name=${this.#secret}` } };
  }

  async read(): Promise<StoredSecret | undefined> {
    try {
      return storedSecret(await this.#client.request({ path: `${this.#folder}/${this.#secret}` }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** @returns undefined when it is there already */
  async create(data: SecretData): Promise<StoredSecret | undefined> {
    try {
      return storedSecret(await this.#client.request({ method: 'POST', path: this.#folder, body: this.#object(data) }));
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  /** @returns undefined when somebody else was faster */
  async replace(data: SecretData, { resourceVersion }: StoredSecret): Promise<StoredSecret | undefined> {
    const path = `${this.#folder}/${this.#secret}`;
    try {
      return storedSecret(await this.#client.request({ method: 'PUT', path, body: this.#object(data, resourceVersion) }));
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Adds annotations to what is there, whoever wrote it. */
  async annotate(annotations: Readonly<Record<string, string>>): Promise<void> {
    const path = `${this.#folder}/${this.#secret}`;
    await this.#client.request({ method: 'PATCH', path, body: { metadata: { annotations } } });
  }

  /** @returns false when it was not there */
  async delete(): Promise<boolean> {
    try {
      await this.#client.request({ method: 'DELETE', path: `${this.#folder}/${this.#secret}` });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #object(data: SecretData, resourceVersion?: string): unknown {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: this.#secret,
        namespace: this.#namespace,
        labels: { 'app.kubernetes.io/part-of': 'gatehouse', ...this.#labels },
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
    };
  }
}

/** A Secret as the API server gives it. Values that are no text are left out. */
export function storedSecret(object: unknown): StoredSecret {
  const data = isJson(object) ? mapAt(object, 'data') : {};
  const decoded = Object.entries(data).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, Buffer.from(value, 'base64')] as const] : [],
  );
  return {
    data: Object.fromEntries(decoded),
    resourceVersion: textAt(object, 'metadata', 'resourceVersion'),
    annotations: mapAt(object, 'metadata', 'annotations'),
  };
}
