import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Timers } from '../clock.ts';
import type { SecretData, SecretProvider } from './kubernetes-secrets.ts';
import { type SecretGrants, secretGrants } from './secret-grants.ts';
import { type Fields, isRecord, type Written, writtenObjects } from './written-object.ts';

const LOOK_EVERY_MS = 500;
const LARGEST_FILE = 4 << 20;
const MOST_FILES = 1000;
const YAML = /\.(?:ya?ml|json)$/;
const HIDDEN = /(?:^|\/)\./;

interface KnownFile {
  readonly stamp: string;
  readonly secrets: ReadonlyMap<string, SecretData>;
  /** Objects that may say who else reads Secrets. */
  readonly granting: readonly Written[];
}

/** Kubernetes Secrets, and what grants them to gateways of other namespaces, from the YAML files of a folder and those in it, followed through their changes. A broken file keeps what it last said. */
export class SecretsFolder implements SecretProvider {
  readonly path: string;
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #files = new Map<string, KnownFile>();
  #granted: SecretGrants = () => false;
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

  granted(gateways: string, namespace: string, name: string): boolean {
    return this.#granted(gateways, namespace, name);
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
      if (changed) this.#granted = secretGrants([...files.values()].flatMap(({ granting }) => granting));
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
    const objects = size > LARGEST_FILE ? undefined : writtenObjects(await readFile(path, 'utf8'));
    if (objects !== undefined) return { stamp, secrets: secretsOf(objects), granting: objects.filter(isGranting) };
    this.#complain(`${path} is no YAML, or too large`);
    return known;
  }

  #complain(reason: string): void {
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    this.#log.error({ secretsDir: this.path, reason }, 'Kubernetes Secrets cannot be read; the last good ones stay');
  }
}

const GRANTING: ReadonlySet<unknown> = new Set(['ReferenceGrant', 'ListenerSet', 'Gateway']);

const isGranting = ({ value }: Written): boolean => GRANTING.has(value['kind']);

/** All Secrets among objects, by NAMESPACE/NAME; others are passed over. */
function secretsOf(objects: readonly Written[]): ReadonlyMap<string, SecretData> {
  return new Map(
    objects
      .filter(({ value }) => value['kind'] === 'Secret' && value['apiVersion'] === 'v1')
      .map(({ namespace, name, value }) => [`${namespace}/${name}`, dataOf(value)]),
  );
}

/** `data` is base64, `stringData` is not and counts more (Kubernetes API, Secret). */
function dataOf(secret: Fields): SecretData {
  const data = new Map<string, string>();
  for (const [key, value] of Object.entries(isRecord(secret['data']) ? secret['data'] : {}))
    if (typeof value === 'string') data.set(key, Buffer.from(value, 'base64').toString());
  for (const [key, value] of Object.entries(isRecord(secret['stringData']) ? secret['stringData'] : {}))
    if (typeof value === 'string') data.set(key, value);
  return data;
}
