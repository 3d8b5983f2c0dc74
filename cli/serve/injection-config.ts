import type { Logger } from 'pino';
import { isNotFound } from '../../kubernetes/api/api-error.ts';
import type { ApiClient } from '../../kubernetes/api/client.ts';
import type { InjectionSettings } from '../../kubernetes/inject/settings.ts';
import { injectionSettings, type InjectionSource } from '../inject/settings.ts';

export interface InjectionConfigOptions {
  readonly client: ApiClient;
  readonly systemNamespace: string;
  /** Files and flags; without a file the mesh configuration is the ConfigMap `istio`. */
  readonly source: InjectionSource;
  readonly base: InjectionSettings;
  readonly log: Logger;
  readonly monotonic: () => number;
}

/** So long what was read counts: a change takes effect for the next pods, without a restart. */
const FRESH_MS = 5_000;

/** What the installation says of injected proxies, read again as it changes. What cannot be read leaves what was there. */
export class InjectionConfig {
  readonly #options: InjectionConfigOptions;
  #current: InjectionSettings | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<InjectionSettings> | undefined;

  constructor(options: InjectionConfigOptions) {
    this.#options = options;
  }

  /** @throws Error when it cannot be read and never was */
  current(): Promise<InjectionSettings> {
    if (this.#current !== undefined && this.#options.monotonic() - this.#readAt < FRESH_MS) return Promise.resolve(this.#current);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<InjectionSettings> {
    const { source, base, log, monotonic } = this.#options;
    try {
      const mesh = source.meshConfig === undefined ? await this.#configMap() : undefined;
      const settings = injectionSettings({ ...source, ...(mesh === undefined ? {} : { mesh }) }, base);
      if (!settings.ok) throw new Error(settings.reason);
      this.#current = settings.value;
    } catch (error) {
      if (this.#current === undefined) throw error;
      log.error(
        { error: error instanceof Error ? error.message : String(error) },
        'the injection settings cannot be read; the last ones stay',
      );
    }
    this.#readAt = monotonic();
    return this.#current;
  }

  async #configMap(): Promise<unknown> {
    const { client, systemNamespace } = this.#options;
    try {
      return await client.request({ path: `/api/v1/namespaces/${systemNamespace}/configmaps/istio`, timeoutMs: 3000 });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
