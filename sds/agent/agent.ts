import { isDeepStrictEqual } from 'node:util';
import { hasSetpriv } from '../envoy/setpriv.ts';
import type { AgentConfig } from './config.ts';
import { RootBundle } from './root-bundle.ts';
import { prepareRunDir } from './run-directory.ts';
import { RunningWorkload, type Surroundings } from './workload.ts';

export type AgentOptions = Omit<Surroundings, 'bundle' | 'setpriv'>;

/** One process, many workloads. Owns them all; every change of what runs goes through `apply`, one at a time. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #roots: RootBundle;
  readonly #rootCert: string;
  readonly #running = new Map<string, RunningWorkload>();
  #around: Surroundings | undefined;
  #turn: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(config: AgentConfig, options: AgentOptions) {
    this.#options = options;
    this.#rootCert = config.controlPlane.rootCert;
    this.#roots = new RootBundle(this.#rootCert, options.log);
  }

  /** Why a changed configuration cannot be applied to a running agent, or undefined. */
  unchangeable(config: AgentConfig): string | undefined {
    return config.controlPlane.rootCert === this.#rootCert
      ? undefined
      : 'controlPlane.rootCert cannot change while the agent runs';
  }

  /**
   * Starts what is new, stops what is gone, starts anew what changed. Everything else is not touched. Rejects when the
   * run directory cannot be made.
   */
  apply(config: AgentConfig): Promise<void> {
    const turn = this.#turn.then(() => (this.#stopping ? undefined : this.#reconcile(config)));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Drains and ends all Envoys at once. Resolves when all are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#turn;
    this.#roots.close();
    await Promise.all([...this.#running.values()].map((workload) => workload.stop()));
    this.#running.clear();
  }

  async #reconcile(config: AgentConfig): Promise<void> {
    const around = await this.#begin();
    const shared = config.workloads.some(({ envoy }) => envoy?.owner !== undefined && envoy.owner.uid !== process.getuid?.());
    await prepareRunDir(config.runDir, shared);
    const wanted = new Map(config.workloads.map((workload) => [workload.name, workload]));
    const leaving = [...this.#running.values()].filter(({ config: now }) => !isDeepStrictEqual(wanted.get(now.name), now));
    await Promise.all(leaving.map((workload) => workload.stop()));
    for (const { config: gone } of leaving) this.#running.delete(gone.name);
    for (const [name, workload] of wanted) {
      if (this.#running.has(name)) continue;
      const started = new RunningWorkload(workload, around);
      this.#running.set(name, started);
      started.start();
    }
    around.emit({ event: 'config', workloads: [...wanted.keys()] });
  }

  async #begin(): Promise<Surroundings> {
    if (this.#around !== undefined) return this.#around;
    await this.#roots.start(this.#options.timers, () => {
      for (const workload of this.#running.values()) workload.bundleChanged();
    });
    const around = { ...this.#options, bundle: () => this.#roots.current(), setpriv: await hasSetpriv() };
    if (!around.setpriv) around.log.warn('no setpriv with --pdeathsig here: an Envoy outlives an agent that is killed');
    this.#around = around;
    return around;
  }
}
