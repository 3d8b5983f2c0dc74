import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Change } from '../../mesh/admit/change.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import type { WrittenObjects } from '../../mesh/admit/written-objects.ts';
import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type LoadedMeshConfig, loadMeshConfig, readConfig } from '../../mesh/source/mesh-config.ts';
import { Pace } from '../../mesh/source/pace.ts';
import type { WatchedMesh } from '../../mesh/source/watch.ts';
import type { ApiClient } from '../api/client.ts';
import { mapAt } from '../api/json.ts';
import type { Told } from '../watch/machine.ts';
import type { ObservedObjects } from '../status/observed.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { ClusterObjects } from './cluster-objects.ts';
import { LiveCluster } from './live-cluster.ts';

export interface ClusterMeshOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  /** A file; undefined: the ConfigMap `istio` with its key `mesh`, as Istio has it. */
  readonly meshConfigFile?: string | undefined;
  /** Where that ConfigMap is. */
  readonly systemNamespace: string;
  /** Called for every snapshot after the first, which `current` gives. */
  readonly onSnapshot?: (snapshot: Snapshot, changed: readonly Change[]) => void;
  readonly onDiagnostics?: (diagnostics: readonly Diagnostic[]) => void;
  readonly observed?: ObservedObjects;
  readonly idleMs?: number;
  /** Ends the wait for the first snapshot. */
  readonly signal?: AbortSignal;
}

export interface ClusterMesh extends WatchedMesh {
  /** What was admitted, as `Kind namespace/name`. */
  objects(): readonly string[];
}

/** How often the log says what the start still waits for. */
const REMIND_MS = 10_000;
const CONFIG_POLL_MS = 3_000;
const CONFIG_MAP = 'istio';

/**
 * The mesh of a cluster: resolves once everything was seen, however long the API server takes. From then on it has a snapshot, also while
 * the server is away.
 * @throws Error when the mesh configuration cannot be used at the start: there is nothing to fall back to
 */
export async function watchCluster(options: ClusterMeshOptions): Promise<ClusterMesh> {
  const watching = new Watching(options);
  try {
    await watching.ready;
    return watching;
  } catch (error) {
    watching.close();
    throw error;
  }
}

class Watching implements ClusterMesh {
  readonly ready: Promise<void>;
  readonly #options: ClusterMeshOptions;
  readonly #cluster = new LiveCluster();
  readonly #objects: ClusterObjects;
  readonly #config: ResourceWatch | undefined;
  readonly #pace = new Pace();
  readonly #reminder: NodeJS.Timeout;
  readonly #poll: NodeJS.Timeout | undefined;
  #loaded: LoadedMeshConfig | undefined;
  /** The text of the ConfigMap; undefined: there is none. */
  #configText: string | undefined;
  #configSeen = false;
  #objectsSeen = false;
  #begun = false;
  #told: readonly Diagnostic[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #begin: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(options: ClusterMeshOptions) {
    this.#options = options;
    const { client, log, meshConfigFile, systemNamespace, idleMs, signal, observed } = options;
    this.ready = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    signal?.addEventListener('abort', () => this.#fail(new Error('ended before the cluster was seen')), { once: true });
    observed?.answeredBy((place) => this.#cluster.isInEffect(place));
    this.#objects = new ClusterObjects({
      client,
      log,
      onPut: (place, object) => {
        if (this.#cluster.put(place, object)) this.#changed();
      },
      onRemove: (place) => {
        if (this.#cluster.remove(place)) this.#changed();
      },
      onSynced: () => {
        this.#objectsSeen = true;
        this.#start();
      },
      ...(observed !== undefined && { observed }),
      ...(idleMs !== undefined && { idleMs }),
    });
    if (meshConfigFile === undefined) {
      this.#config = new ResourceWatch({
        client,
        path: `/api/v1/namespaces/${systemNamespace}/configmaps`,
        query: { fieldSelector: `metadata.name=${CONFIG_MAP}` },
        ...(idleMs !== undefined && { idleMs }),
        onTold: (told) => this.#configTold(told),
      });
    } else {
      this.#configSeen = true;
      // A mounted ConfigMap is replaced as a whole, of which not every file system tells.
      this.#poll = setInterval(() => {
        if (this.#begun && this.#configure()) this.#changed();
      }, CONFIG_POLL_MS);
      this.#poll.unref();
    }
    this.#reminder = setInterval(() => this.#remind(), REMIND_MS);
    this.#reminder.unref();
  }

  current(): Snapshot {
    const { snapshot } = this.#cluster;
    if (snapshot === undefined) throw new Error('there is no snapshot before the cluster was seen');
    return snapshot;
  }

  diagnostics(): readonly Diagnostic[] {
    return this.#told;
  }

  objects(): readonly string[] {
    return this.#cluster.keys;
  }

  written(): WrittenObjects {
    return this.#cluster.written();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#reminder);
    clearInterval(this.#poll);
    this.#objects.close();
    this.#config?.close();
  }

  #configTold(told: Told): void {
    if (told.kind === 'put') {
      const [object] = told.objects;
      if (object !== undefined) {
        const text = mapAt(object.json, 'data')['mesh'];
        this.#configText = typeof text === 'string' ? text : undefined;
      }
    }
    if (told.kind === 'listed') {
      this.#configSeen = true;
      this.#start();
    }
    // One that was deleted stays in effect: with other settings identities and policies would mean something else.
    if (told.kind === 'put' && this.#begun && this.#configure()) this.#changed();
  }

  /** @returns false when it says the same as before */
  #configure(): boolean {
    const { meshConfigFile, systemNamespace } = this.#options;
    const place = `configmaps/${systemNamespace}/${CONFIG_MAP}`;
    const loaded: LoadedMeshConfig =
      meshConfigFile !== undefined
        ? loadMeshConfig(meshConfigFile)
        : this.#configText === undefined
          ? { meshConfig: DEFAULT_MESH_CONFIG, diagnostics: [] }
          : readConfig(place, this.#configText);
    if (isDeepStrictEqual(loaded, this.#loaded)) return false;
    this.#loaded = loaded;
    this.#cluster.configure(loaded.meshConfig, loaded.diagnostics);
    return true;
  }

  #start(): void {
    if (this.#begun || !this.#configSeen || !this.#objectsSeen || this.#closed) return;
    this.#begun = true;
    clearInterval(this.#reminder);
    this.#configure();
    const { snapshot, diagnostics } = this.#cluster.look();
    this.#tell(diagnostics);
    const found = this.#loaded?.diagnostics ?? [];
    if (snapshot === undefined)
      this.#fail(new Error(`the mesh configuration cannot be used:\n${found.map(formatDiagnostic).join('\n')}`));
    else this.#begin();
  }

  #changed(): void {
    if (!this.#begun || this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#look(), this.#pace.wait(performance.now()));
  }

  #look(): void {
    this.#timer = undefined;
    const began = performance.now();
    const { snapshot, changed, diagnostics } = this.#cluster.look();
    this.#tell(diagnostics);
    if (snapshot === undefined) return;
    this.#options.onSnapshot?.(snapshot, changed);
    this.#pace.looked(began, performance.now());
  }

  #tell(diagnostics: readonly Diagnostic[]): void {
    if (diagnostics === this.#told) return;
    this.#told = diagnostics;
    this.#options.onDiagnostics?.(diagnostics);
  }

  #remind(): void {
    const waitingFor = [...this.#objects.waitingFor, ...(this.#configSeen ? [] : [`configmaps/${CONFIG_MAP}`])];
    this.#options.log.warn({ waitingFor, server: this.#options.client.access.server }, 'waiting until the cluster was seen');
  }
}
