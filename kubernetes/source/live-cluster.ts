import { admitDocument } from '../../mesh/admit/admit.ts';
import type { Change } from '../../mesh/admit/change.ts';
import type { Document } from '../../mesh/admit/document.ts';
import type { Admitted } from '../../mesh/admit/mesh-object.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { MeshStore, NO_GATEWAYS } from '../../mesh/admit/store/mesh-store.ts';
import { gatewaysIn, type Written, writtenIn } from '../../mesh/admit/written.ts';
import { type WrittenObjects, WrittenStore } from '../../mesh/admit/written-objects.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { DiagnosticsByFile } from '../../mesh/source/diagnostics-by-file.ts';
import type { Json } from '../api/json.ts';
import { kept } from './kept-written.ts';

export interface Looked {
  /** Undefined when nothing that is in effect changed. */
  readonly snapshot: Snapshot | undefined;
  readonly changed: readonly Change[];
  /** The same list as before when nothing in it changed. */
  readonly diagnostics: readonly Diagnostic[];
}

interface Held {
  /** The object as JSON: a tenth of what its tree takes, which is needed only while it is read. Undefined: it is gone. */
  text: string | undefined;
  written: readonly Written[];
  /** What is in effect of it: as it is, or as it was before it was refused. */
  effective: Admitted | undefined;
  found: readonly Diagnostic[];
}

const NOWHERE = 'default';

/**
 * The objects of a cluster and what is in effect because of them, as `LiveMesh` has it for files. An object stands at its place in the
 * cluster, without a line. One that is refused leaves its last good version in effect; one that was deleted is gone.
 */
export class LiveCluster {
  readonly #objects = new Map<string, Held>();
  readonly #store = new MeshStore();
  readonly #written = new WrittenStore((one, other) => (one.file < other.file ? -1 : one.file > other.file ? 1 : 0));
  readonly #diagnostics = new DiagnosticsByFile();
  readonly #gateways = new Map<string, number>();
  #otherGateways = NO_GATEWAYS;
  #dirty = new Set<string>();
  #meshConfig: MeshConfig | undefined;
  #configDiagnostics: readonly Diagnostic[] = [];
  #loose: readonly string[] = [];
  #checked: ReadonlyMap<string, readonly Diagnostic[]> = new Map();
  #snapshot: Snapshot | undefined;

  /** @returns false when it says the same as before */
  put(path: string, object: Json): boolean {
    // The server writes the fields of an object always in the same order.
    const text = JSON.stringify(object);
    const before = this.#objects.get(path);
    if (before === undefined) this.#objects.set(path, { text, written: [], effective: undefined, found: [] });
    else if (before.text === text) return false;
    else before.text = text;
    this.#dirty.add(path);
    return true;
  }

  remove(path: string): boolean {
    const held = this.#objects.get(path);
    if (held?.text === undefined) return false;
    held.text = undefined;
    this.#dirty.add(path);
    return true;
  }

  has(path: string): boolean {
    return this.#objects.get(path)?.text !== undefined;
  }

  /** Whether it is a part of the mesh, as it is or as it was before it was refused. */
  isInEffect(place: string): boolean {
    return this.#objects.get(place)?.effective !== undefined;
  }

  /** One that cannot be used leaves the last one in effect. */
  configure(meshConfig: MeshConfig | undefined, diagnostics: readonly Diagnostic[]): void {
    this.#configDiagnostics = diagnostics;
    if (meshConfig === undefined || JSON.stringify(meshConfig) === JSON.stringify(this.#meshConfig)) return;
    this.#meshConfig = meshConfig;
    // What reads the same may mean something else.
    for (const path of this.#objects.keys()) this.#dirty.add(path);
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** What was admitted, as `Kind namespace/name`. */
  get keys(): readonly string[] {
    return [...this.#objects.values()].flatMap(({ effective }) => effective?.key ?? []);
  }

  written(): WrittenObjects {
    return this.#written.objects();
  }

  /** Brings what is in effect up to date. Costs what changed since it was asked. */
  look(): Looked {
    const meshConfig = this.#meshConfig;
    if (meshConfig === undefined) return { snapshot: undefined, changed: [], diagnostics: this.#configDiagnostics };
    const dirty = this.#dirty;
    this.#dirty = new Set();
    const upserts: Admitted[] = [];
    const removed: string[] = [];
    const gone: Written[] = [];
    const come: Written[] = [];
    for (const path of dirty) {
      const held = this.#objects.get(path);
      if (held === undefined) continue;
      const before = held.effective;
      gone.push(...held.written);
      this.#read(path, held, meshConfig);
      come.push(...held.written);
      if (held.effective === undefined) {
        if (before !== undefined) removed.push(before.key);
      } else if (held.effective !== before) upserts.push(held.effective);
      if (held.text === undefined) this.#objects.delete(path);
    }
    this.#countGateways(gone, come);
    this.#written.patch({ gone, come });
    const { snapshot, changed, diagnostics } = this.#store.apply({
      upserts,
      removed,
      meshConfig,
      otherGateways: this.#otherGateways,
    });
    this.#tell(dirty, diagnostics);
    const differs = snapshot !== this.#snapshot;
    this.#snapshot = snapshot;
    return { snapshot: differs ? snapshot : undefined, changed, diagnostics: this.#diagnostics.all };
  }

  #read(path: string, held: Held, meshConfig: MeshConfig): void {
    const { text, effective } = held;
    if (text === undefined) {
      held.written = [];
      held.effective = undefined;
      held.found = [];
      return;
    }
    const document: Document = { file: path, offset: 0, node: nodeOf(JSON.parse(text), 0) };
    const { admitted, refused, diagnostics } = admitDocument(document, { meshConfig, defaultNamespace: NOWHERE });
    const written = writtenIn([document], NOWHERE);
    const { admitted: next, written: now } = kept(written[0]?.kind ?? '', text, document.node, {
      admitted: admitted[0],
      written,
    });
    held.written = now;
    held.found = diagnostics;
    if (next !== undefined || refused.length === 0) held.effective = next;
    else if (effective !== undefined) held.found = [...diagnostics, lastGood(path, effective.key)];
  }

  #countGateways(gone: readonly Written[], come: readonly Written[]): void {
    let other = false;
    const count = (names: readonly string[], by: number): void => {
      for (const name of names) {
        const before = this.#gateways.get(name) ?? 0;
        if (before + by === 0) this.#gateways.delete(name);
        else this.#gateways.set(name, before + by);
        other ||= before === 0 || before + by === 0;
      }
    };
    count(gatewaysIn(come), 1);
    count(gatewaysIn(gone), -1);
    if (other) this.#otherGateways = new Set(this.#gateways.keys());
  }

  #tell(dirty: ReadonlySet<string>, checked: ReadonlyMap<string, readonly Diagnostic[]>): void {
    const files = new Set(dirty);
    const byFile = Map.groupBy(this.#configDiagnostics, ({ file }) => file);
    for (const file of [...this.#loose, ...byFile.keys()]) files.add(file);
    this.#loose = [...byFile.keys()];
    if (checked !== this.#checked) {
      for (const [file, found] of checked) if (this.#checked.get(file) !== found) files.add(file);
      for (const file of this.#checked.keys()) if (!checked.has(file)) files.add(file);
      this.#checked = checked;
    }
    for (const file of files)
      this.#diagnostics.set(file, [
        ...(byFile.get(file) ?? []),
        ...(this.#objects.get(file)?.found ?? []),
        ...(checked.get(file) ?? []),
      ]);
  }
}

function lastGood(file: string, object: string): Diagnostic {
  return {
    file,
    line: 0,
    object,
    severity: 'info',
    code: 'last-good',
    message: 'its last good version stays in effect',
    hint: 'correct the object',
  };
}
