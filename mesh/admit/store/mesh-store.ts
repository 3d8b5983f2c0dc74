import type { Diagnostic } from '../../model/diagnostic.ts';
import type { MeshConfig } from '../../model/mesh-config.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { ByKind } from '../by-kind.ts';
import type { Change } from '../change.ts';
import { ReferenceChecks } from '../check/reference-checks.ts';
import type { Admitted } from '../mesh-object.ts';
import { Lists } from './lists.ts';

export interface StoreOptions {
  /** One made-up instance for each Deployment without a Pod. */
  readonly assumePods?: boolean;
}

export interface StoreChange {
  /** Objects that came, or that stand in place of one with the same key. */
  readonly upserts: readonly Admitted[];
  /** Keys of objects that left. */
  readonly removed: readonly string[];
  readonly meshConfig: MeshConfig;
  /** `namespace/name` of gateways that are there without being admitted: those of the Gateway API, and those with errors. */
  readonly otherGateways: ReadonlySet<string>;
}

export interface Stored {
  /** The same as before when nothing that counts changed. */
  readonly snapshot: Snapshot;
  readonly changed: readonly Change[];
  /** What is wrong with objects because of others, by file and within one by line. */
  readonly diagnostics: ReadonlyMap<string, readonly Diagnostic[]>;
}

export const NO_GATEWAYS: ReadonlySet<string> = new Set();

/**
 * All admitted objects, one for each key, and the snapshot of them: whoever has objects that change (files, the Kubernetes API)
 * tells what changed, and each change costs what it changes. What a store says depends on the objects in it alone, not on the
 * order or the batches in which they came (the number of the snapshot counts changes).
 */
export class MeshStore {
  readonly #objects = new Map<string, Admitted>();
  readonly #lists: Lists;
  readonly #checks: ReferenceChecks;
  #snapshot: Snapshot | undefined;
  readonly #first: number;

  /** @param first the number of the first snapshot */
  constructor({ assumePods = false }: StoreOptions = {}, first = 1) {
    this.#lists = new Lists(assumePods);
    this.#checks = new ReferenceChecks(this.#lists);
    this.#first = first;
  }

  get(key: string): Admitted | undefined {
    return this.#objects.get(key);
  }

  get size(): number {
    return this.#objects.size;
  }

  apply({ upserts, removed, meshConfig, otherGateways }: StoreChange): Stored {
    const after = new Map(upserts.map((one) => [one.key, one]));
    const before = new Map<string, Admitted>();
    for (const key of [...after.keys(), ...removed]) {
      const last = this.#objects.get(key);
      if (last !== undefined) before.set(key, last);
    }
    for (const key of removed) if (!after.has(key)) this.#objects.delete(key);
    for (const one of after.values()) this.#objects.set(one.key, one);
    const gone: Admitted[] = [];
    const come: Admitted[] = [];
    const changed: Change[] = [];
    const tell = ({ object }: Admitted, change: Change['change']): void => {
      const { kind, namespace, name } = object.value.meta;
      changed.push({ kind, namespace, name, change });
    };
    for (const [key, next] of after) {
      const last = before.get(key);
      if (last?.object === next.object) continue;
      if (last !== undefined) gone.push(last);
      come.push(next);
      tell(next, last === undefined ? 'added' : 'changed');
    }
    for (const [key, last] of before) {
      if (after.has(key)) continue;
      gone.push(last);
      tell(last, 'removed');
    }
    const changes = this.#lists.patch(new ByKind(gone), new ByKind(come), meshConfig);
    this.#checks.patch(changes, otherGateways, before, after, this.#objects);
    const last = this.#snapshot;
    const next = this.#lists.snapshot(last === undefined ? this.#first : last.number + 1, meshConfig);
    const snapshot = last !== undefined && sameSnapshot(last, next) ? last : next;
    this.#snapshot = snapshot;
    return { snapshot, changed, diagnostics: this.#checks.diagnostics };
  }
}

/** True when nothing but the number differs. */
function sameSnapshot(one: Snapshot, other: Snapshot): boolean {
  const { number: _, ...lists } = one;
  const { number: __, ...others } = other;
  const opposite = new Map<string, unknown>(Object.entries(others));
  return Object.entries(lists).every(([name, list]) => opposite.get(name) === list);
}
