import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { parseAllDocuments } from 'yaml';
import type { Timers } from '../clock.ts';
import type { SecretData, SecretProvider } from './kubernetes-secrets.ts';

const LOOK_EVERY_MS = 500;
const LARGEST_FILE = 4 << 20;
const MOST_FILES = 1000;
const YAML = /\.(?:ya?ml|json)$/;
const HIDDEN = /(?:^|\/)\./;

interface KnownFile {
  readonly stamp: string;
  readonly secrets: ReadonlyMap<string, SecretData>;
}

/** Kubernetes Secrets from the YAML files of a folder and those in it, followed through their changes. A broken file keeps what it last said. */
export class SecretsFolder implements SecretProvider {
  readonly path: string;
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #files = new Map<string, KnownFile>();
  #closed = false;
  #complaint = '';
  #cancel: () => void = () => {};

  constructor(path: string, timers: Timers, log: Logger) {
    this.path = path;
    this.#timers = timers;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#look();
    if (!this.#closed) this.#cancel = this.#timers.after(LOOK_EVERY_MS, () => void this.start());
  }

  get(namespace: string, name: string): SecretData | undefined {
    for (const { secrets } of this.#files.values()) {
      const found = secrets.get(`${namespace}/${name}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    try {
      const names = (await readdir(this.path, { recursive: true }))
        .filter((name) => YAML.test(name) && !HIDDEN.test(name))
        .sort();
      if (names.length > MOST_FILES) throw new Error(`more than ${MOST_FILES} files`);
      const files = new Map<string, KnownFile>();
      for (const name of names) {
        const file = await this.#file(name);
        if (file !== undefined) files.set(name, file);
      }
      const changed = files.size !== this.#files.size || [...files].some(([name, file]) => this.#files.get(name) !== file);
      this.#files = files;
      this.#complaint = '';
      if (changed) for (const listener of this.#listeners) listener();
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }

  /** The file as it is now; the very one known before when it has not changed, or cannot be used. */
  async #file(name: string): Promise<KnownFile | undefined> {
    const path = join(this.path, name);
    const known = this.#files.get(name);
    const { mtimeMs, size, ino } = await stat(path);
    const stamp = `${ino}/${mtimeMs}/${size}`;
    if (known?.stamp === stamp) return known;
    const secrets = size > LARGEST_FILE ? undefined : secretsOf(await readFile(path, 'utf8'));
    if (secrets !== undefined) return { stamp, secrets };
    this.#complain(`${path} is no YAML, or too large`);
    return known;
  }

  #complain(reason: string): void {
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    this.#log.error({ secretsDir: this.path, reason }, 'Kubernetes Secrets cannot be read; the last good ones stay');
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All Secrets of a text, by NAMESPACE/NAME; other objects are passed over. Undefined when it is no YAML. */
function secretsOf(text: string): ReadonlyMap<string, SecretData> | undefined {
  const secrets = new Map<string, SecretData>();
  const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: true });
  for (const document of documents) {
    if (document.errors.length > 0) return undefined;
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (!isRecord(value) || value['kind'] !== 'Secret' || value['apiVersion'] !== 'v1') continue;
    const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
    const { name, namespace = 'default' } = metadata;
    if (typeof name === 'string' && typeof namespace === 'string') secrets.set(`${namespace}/${name}`, dataOf(value));
  }
  return secrets;
}

/** `data` is base64, `stringData` is not and counts more (Kubernetes API, Secret). */
function dataOf(secret: Readonly<Record<string, unknown>>): SecretData {
  const data = new Map<string, string>();
  for (const [key, value] of Object.entries(isRecord(secret['data']) ? secret['data'] : {}))
    if (typeof value === 'string') data.set(key, Buffer.from(value, 'base64').toString());
  for (const [key, value] of Object.entries(isRecord(secret['stringData']) ? secret['stringData'] : {}))
    if (typeof value === 'string') data.set(key, value);
  return data;
}
