import type { Meta } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

interface Configured {
  readonly meta: Meta;
}

/** Objects of the Gateway API stand in their list with their kind beside them. */
type Listed = Configured | { readonly value: Configured };

const configured = (listed: Listed): Configured => ('meta' in listed ? listed : listed.value);

/** An object as people name it. */
export function objectName({ kind, namespace, name }: Meta): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** How the whole of MeshConfig is named among objects. */
export const MESH_CONFIG = 'MeshConfig';

/** What was configured at a time: the lists alone, so that nothing that was computed from a snapshot is kept with it. */
interface Published {
  readonly number: number;
  readonly at: Date;
  readonly meshConfig: unknown;
  readonly lists: readonly (readonly Listed[])[];
}

/** Proxies that are further behind than this are told apart from the rest, but not object by object. */
const MOST_KEPT = 16;

function published(snapshot: Snapshot, at: Date): Published {
  const { number, meshConfig } = snapshot;
  return {
    number,
    at,
    meshConfig,
    lists: [
      snapshot.services,
      snapshot.workloads,
      snapshot.virtualServices,
      snapshot.destinationRules,
      snapshot.gateways,
      snapshot.gatewayApi,
      snapshot.configMaps,
      snapshot.sidecars,
      snapshot.authorizationPolicies,
      snapshot.peerAuthentications,
      snapshot.requestAuthentications,
      snapshot.rateLimits,
      snapshot.telemetries,
    ],
  };
}

/**
 * The snapshots that some proxy may still be at, to tell which objects have not reached it. Compared only when asked: objects that did not change
 * are the same in both.
 */
export class PublishedSnapshots {
  #kept: Published[] = [];
  /** Both are of the newest, and asked for often. */
  #objects: ReadonlyMap<string, Meta> | undefined;
  readonly #changes = new Map<number, ReadonlySet<string> | undefined>();

  /** @param oldest no proxy is behind this one */
  record(snapshot: Snapshot, at: Date, oldest: number | undefined): void {
    const next = published(snapshot, at);
    const needed = oldest === undefined ? [] : this.#kept.filter(({ number }) => number >= oldest && number < next.number);
    this.#kept = [...needed, next].slice(-MOST_KEPT);
    this.#objects = undefined;
    this.#changes.clear();
  }

  get publishedAt(): Date {
    return this.#kept.at(-1)?.at ?? new Date(0);
  }

  /** All objects that are configured now, by name. */
  objects(): ReadonlyMap<string, Meta> {
    this.#objects ??= this.#named();
    return this.#objects;
  }

  #named(): ReadonlyMap<string, Meta> {
    const found = new Map<string, Meta>();
    for (const list of this.#kept.at(-1)?.lists ?? [])
      for (const listed of list) {
        const { meta } = configured(listed);
        found.set(objectName(meta), meta);
      }
    return found;
  }

  /** `changedSince` for one report, in which many proxies are at the same few snapshots: each is compared once. */
  comparisons(): (since: number) => ReadonlySet<string> | undefined {
    return (since) => this.changedSince(since);
  }

  /** Names of objects that are new, changed or gone since a snapshot; undefined when that is not known any more. */
  changedSince(number: number): ReadonlySet<string> | undefined {
    if (!this.#changes.has(number)) this.#changes.set(number, this.#compared(number));
    return this.#changes.get(number);
  }

  #compared(number: number): ReadonlySet<string> | undefined {
    const [before, now] = [this.#kept.find((one) => one.number === number), this.#kept.at(-1)];
    if (before === undefined || now === undefined) return undefined;
    const changed = new Set<string>(before.meshConfig === now.meshConfig ? [] : [MESH_CONFIG]);
    for (const [at, after] of now.lists.entries()) {
      const old = before.lists[at] ?? [];
      if (old === after) continue;
      const [olds, news] = [new Set(old.map(configured)), new Set(after.map(configured))];
      for (const object of news) if (!olds.has(object)) changed.add(objectName(object.meta));
      for (const object of olds) if (!news.has(object)) changed.add(objectName(object.meta));
    }
    return changed;
  }
}
