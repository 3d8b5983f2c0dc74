import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { listItems } from '../../mesh/admit/admit.ts';
import type { Node } from '../../mesh/admit/node.ts';
import { isClusterScoped } from '../../mesh/model/gateway-api-kinds.ts';
import { listFiles } from '../../mesh/source/files.ts';
import { readText } from '../../mesh/source/load.ts';
import { parseText } from '../../mesh/source/parse.ts';
import { splitDocuments } from '../../mesh/source/split.ts';
import { type Manifest, manifestOf, manifestText } from './manifest.ts';
import { reconcile } from './reconcile.ts';

/** Where an object is written: which document of which file, and below which item of a List. */
interface Place {
  readonly file: string;
  readonly chunk: number;
  readonly path: readonly (string | number)[];
  readonly manifest: Manifest;
}

interface Chunked {
  readonly stamp: string;
  readonly chunks: (string | undefined)[];
  changed: boolean;
}

export type Outcome = 'created' | 'configured' | 'unchanged';

/** Another program changed a file between reading and writing it. */
export class Conflict extends Error {}

/** Longer than a watcher waits for a file that is being written. */
const COMPLETE_MS = 50;

/** The objects of a folder of YAML files, which can be changed in place. Changes are kept in memory until `commit`. */
export class ManifestFolder {
  readonly #root: string;
  readonly #files = new Map<string, Chunked>();
  readonly #places = new Map<string, Place>();

  constructor(root: string) {
    this.#root = root;
    if (!existsSync(root)) return;
    for (const file of listFiles([root]).files) this.#read(file);
  }

  /** All objects, in the order of their files. */
  get manifests(): readonly Manifest[] {
    return [...this.#places.values()].map(({ manifest }) => manifest);
  }

  get(key: string): Manifest | undefined {
    return this.#places.get(key)?.manifest;
  }

  fileOf(key: string): string | undefined {
    return this.#places.get(key)?.file;
  }

  /** Writes an object: where it is, or in a file of its own. */
  put(manifest: Manifest): Outcome {
    const place = this.#places.get(manifest.key);
    if (place === undefined) {
      this.#create(manifest);
      return 'created';
    }
    const file = this.#files.get(place.file);
    const before = file?.chunks[place.chunk];
    if (file === undefined || before === undefined) throw new Error(`${place.file} lost ${manifest.key}`);
    if (equal(placed(manifest), placed(place.manifest))) return 'unchanged';
    const document = parseDocument(body(before));
    // A namespace that the file leaves to the default stays unwritten.
    const value = withMetadata(manifest, place.manifest);
    reconcile(document, place.path, value);
    file.chunks[place.chunk] = `${marker(before)}${document.toString({ lineWidth: 0, directives: false })}`;
    file.changed = true;
    this.#places.set(manifest.key, { ...place, manifest });
    return 'configured';
  }

  /** Takes an object out of its file; a file without any object is deleted. */
  remove(key: string): boolean {
    const place = this.#places.get(key);
    const file = place && this.#files.get(place.file);
    if (place === undefined || file === undefined) return false;
    const before = file.chunks[place.chunk];
    if (place.path.length > 0 && before !== undefined) {
      const document = parseDocument(body(before));
      // Kept as an empty item, so that the places of the others stay right until the file is written.
      document.setIn(place.path, null);
      file.chunks[place.chunk] = `${marker(before)}${document.toString({ lineWidth: 0, directives: false })}`;
    } else file.chunks[place.chunk] = undefined;
    file.changed = true;
    this.#places.delete(key);
    return true;
  }

  /** Writes every changed file by renaming over it. @throws Conflict when one was changed meanwhile; nothing is then written */
  commit(): void {
    const changed = [...this.#files].filter(([, file]) => file.changed);
    for (const [path, file] of changed) if (stampOf(path) !== file.stamp) throw new Conflict(path);
    for (const [path, file] of changed) {
      const text = file.chunks
        .filter((chunk) => chunk !== undefined)
        .map(withoutHoles)
        .join('');
      if (text.replaceAll(/^(---.*|#.*|\s*)$/gm, '').trim() === '') {
        rmSync(path, { force: true });
        continue;
      }
      mkdirSync(dirname(path), { recursive: true });
      // A dotfile is read by nobody, so half a file is never seen.
      const draft = join(dirname(path), `.${String(process.pid)}.gatehouse.tmp`);
      writeFileSync(draft, text, { mode: file.stamp === '' ? 0o644 : statSync(path).mode & 0o777 });
      // Whoever watches the folder sees by its age that it is complete, and reads it without waiting for more.
      const written = Date.now() - COMPLETE_MS;
      utimesSync(draft, written / 1000, written / 1000);
      renameSync(draft, path);
    }
  }

  #create(manifest: Manifest): void {
    const folder = manifest.namespace === '' ? manifest.name : manifest.namespace;
    const path = join(this.#root, folder, `${manifest.kind.toLowerCase()}-${manifest.name}.yaml`);
    const known = this.#files.get(path) ?? {
      stamp: stampOf(path),
      chunks: existsSync(path) ? [readFileSync(path, 'utf8')] : [],
      changed: true,
    };
    const more = known.chunks.some((chunk) => chunk !== undefined && chunk.trim() !== '');
    const last = known.chunks.findLast((chunk) => chunk !== undefined) ?? '\n';
    known.chunks.push(`${more ? `${last.endsWith('\n') ? '' : '\n'}---\n` : ''}${manifestText(manifest)}`);
    known.changed = true;
    this.#files.set(path, known);
    this.#places.set(manifest.key, { file: path, chunk: known.chunks.length - 1, path: [], manifest });
  }

  #read(path: string): void {
    const stamp = stampOf(path);
    const read = readText(path);
    if (!read.ok) return;
    const chunks = splitDocuments(read.text);
    this.#files.set(path, { stamp, chunks: chunks.map(({ text }) => text), changed: false });
    for (const [chunk, { text }] of chunks.entries()) {
      for (const node of parseText(text).nodes) this.#index(path, chunk, node, []);
    }
  }

  #index(file: string, chunk: number, node: Node, path: readonly (string | number)[]): void {
    const items = listItems(node);
    if (items !== undefined) {
      for (const [at, item] of items.entries()) this.#index(file, chunk, item, [...path, 'items', at]);
      return;
    }
    const manifest = manifestOf(node, 'default');
    if (manifest !== undefined && !this.#places.has(manifest.key))
      this.#places.set(manifest.key, { file, chunk, path, manifest });
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

/** The `---` line of a document, which the parser would swallow. */
function marker(chunk: string): string {
  return /^---[^\n]*\n/.exec(chunk)?.[0] ?? '';
}

function body(chunk: string): string {
  return chunk.slice(marker(chunk).length);
}

/** A List from which items were taken. */
function withoutHoles(chunk: string): string {
  if (!/^kind:[ ]*\w*List/m.test(chunk)) return chunk;
  const document = parseDocument(body(chunk));
  const value: unknown = document.toJS();
  const items = typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items) ? value.items : [];
  if (!items.includes(null)) return chunk;
  for (let at = items.length - 1; at >= 0; at -= 1) if (items[at] === null) document.deleteIn(['items', at]);
  return items.every((item) => item === null) ? '' : `${marker(chunk)}${document.toString({ lineWidth: 0, directives: false })}`;
}

function placed({ kind, value, namespace }: Manifest): unknown {
  return isClusterScoped(kind) ? value : { ...value, metadata: { ...asRecord(value['metadata']), namespace } };
}

function withMetadata(manifest: Manifest, before: Manifest): unknown {
  if (isClusterScoped(manifest.kind)) return manifest.value;
  const { namespace: _, ...metadata } = asRecord(manifest.value['metadata']);
  const written = 'namespace' in asRecord(before.value['metadata']);
  return { ...manifest.value, metadata: written ? { ...metadata, namespace: manifest.namespace } : metadata };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** Equal but for the order of fields. */
function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, canonical(inner)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
