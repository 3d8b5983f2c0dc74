import { readdir, readFile, realpath, stat } from 'node:fs/promises';
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
  /** What it says now cannot be used. */
  readonly broken: boolean;
  readonly secrets: ReadonlyMap<string, SecretData>;
  /** Objects that may say who else reads Secrets. */
  readonly granting: readonly Written[];
}

/**
 * Kubernetes Secrets, and what grants them to gateways of other namespaces, from YAML files and those of folders and of the folders in them,
 * followed through their changes. A broken file keeps what it last said, and so does a path that cannot be read.
 */
export class SecretsFolders implements SecretProvider {
  readonly paths: readonly string[];
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  /** What each path led to when it could be read last. */
  readonly #found = new Map<string, ReadonlyMap<string, KnownFile>>();
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #granted: SecretGrants = () => false;
  #closed = false;
  readonly #complaints = new Map<string, string>();
  #cancel: () => void = () => {};

  constructor(paths: readonly string[], timers: Timers, log: Logger) {
    this.paths = paths;
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
    const files = new Map<string, KnownFile>();
    for (const path of this.paths) {
      try {
        this.#found.set(path, await this.#below(path));
      } catch (error) {
        this.#complain(path, error instanceof Error ? error.message : String(error));
      }
      for (const [name, file] of this.#found.get(path) ?? []) files.set(name, file);
    }
    const changed =
      files.size !== this.#files.size || [...files].some(([name, file]) => this.#files.get(name)?.secrets !== file.secrets);
    this.#files = files;
    if (!changed) return;
    this.#granted = secretGrants([...files.values()].flatMap(({ granting }) => granting));
    for (const listener of this.#listeners) listener();
  }

  async #below(path: string): Promise<ReadonlyMap<string, KnownFile>> {
    const names = await filesOf(path);
    if (names.length > MOST_FILES) throw new Error(`more than ${MOST_FILES} files`);
    const found = new Map<string, KnownFile>();
    const broken: string[] = [];
    for (const name of names) {
      const file = await this.#file(name);
      if (file !== undefined) found.set(name, file);
      if (file === undefined || file.broken) broken.push(name);
    }
    this.#complain(path, broken.length === 0 ? '' : `${broken.join(', ')}: no YAML, or too large`);
    return found;
  }

  /** The file as it is now; what is known of it when it has not changed, or cannot be used. */
  async #file(path: string): Promise<KnownFile | undefined> {
    const known = this.#files.get(path);
    const { mtimeMs, size, ino } = await stat(path);
    const stamp = `${ino}/${mtimeMs}/${size}`;
    if (known?.stamp === stamp) return known;
    const objects = size > LARGEST_FILE ? undefined : writtenObjects(await readFile(path, 'utf8'));
    if (objects !== undefined) return { stamp, broken: false, secrets: secretsOf(objects), granting: objects.filter(isGranting) };
    return known === undefined ? undefined : { ...known, broken: true };
  }

  #complain(path: string, reason: string): void {
    if (reason === (this.#complaints.get(path) ?? '')) return;
    this.#complaints.set(path, reason);
    if (reason !== '')
      this.#log.error({ secretsDir: path, reason }, 'Kubernetes Secrets cannot be read; the last good ones stay');
  }
}

/** The file that a path names, or those of a folder; each by its own place, so that none counts twice. */
async function filesOf(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [await realpath(path)];
  const home = await realpath(path);
  const names = (await readdir(home, { recursive: true })).filter((name) => YAML.test(name) && !HIDDEN.test(name));
  return names.sort().map((name) => join(home, name));
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
