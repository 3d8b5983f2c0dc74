import { isDeepStrictEqual } from 'node:util';
import { basename, join } from 'node:path';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { Budget } from '../access-log/budget.ts';
import type { FollowerOptions } from '../authority/followed-stream.ts';
import { Reachability, tcpProbe } from '../authority/reachability.ts';
import { turns } from '../authority/turns.ts';
import { watchClock } from '../clock-jump.ts';
import { Guard } from '../envoy/guard.ts';
import { type AgentConfig, type HostPort, targetOf } from './config.ts';
import { endStrays } from './envoy-record.ts';
import { OutsideTrust } from './outside-trust.ts';
import { DnsProxy, type DnsWish } from '../dns/proxy.ts';
import { TrustFollower } from '../trust/follower.ts';
import { RootBundle } from './root-bundle.ts';
import { lockRunDir } from './lock.ts';
import { prepareRunDir, workloadPaths } from './run-directory.ts';
import { type AgentStatus, rootStatus } from './status.ts';
import { type Listening, serveMetrics, serveStatus } from './status-server.ts';
import type { Surroundings } from './surroundings.ts';
import { RunningWorkload } from './workload.ts';

const MOST_CALLS = 32;
const ACCEPTED_LOOK_MS = 50;
/** Some 40,000 records. */
const LOG_BYTES = 32 * 1024 * 1024;
/** The queues of all workloads together may have as much as so many of them. */
const LOG_SHARES = 8;

export type AgentOptions = Omit<Surroundings, 'bundle' | 'onRoots' | 'outside' | 'guard' | 'reachability' | 'turns' | 'logs'> & {
  /** Answers the DNS of the application beside it. */
  readonly dns?: DnsWish | undefined;
};

/** One process, many workloads. Owns them all; every change of what runs goes through `apply`, one at a time. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #roots: RootBundle;
  readonly #rootCert: string;
  #controlPlane: AgentConfig['controlPlane'];
  readonly #follower: TrustFollower;
  readonly #runDir: string;
  readonly #trustDomain: TrustDomain;
  readonly #logBytes: number;
  readonly #outside: OutsideTrust;
  readonly #dns: DnsProxy | undefined;
  readonly #running = new Map<string, RunningWorkload>();
  #around: Surroundings | undefined;
  readonly #reachability = new Map<string, Reachability>();
  #statusServer: Listening | undefined;
  #metrics: { readonly address: HostPort; readonly server: Listening } | undefined;
  #endClock: () => void = () => {};
  #unlock: () => void = () => {};
  #turn: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(config: AgentConfig, options: AgentOptions) {
    this.#options = options;
    this.#rootCert = config.controlPlane.rootCert;
    this.#runDir = config.runDir;
    this.#roots = new RootBundle(this.#rootCert, join(config.runDir, 'trust-bundle.json'), options.log);
    this.#controlPlane = config.controlPlane;
    this.#trustDomain = config.trustDomain;
    this.#logBytes = config.accessLogBytes ?? LOG_BYTES;
    this.#outside = new OutsideTrust({ ...options, trustDomain: config.trustDomain, bundle: () => this.#roots.current() });
    this.#follower = this.#newFollower();
    this.#dns = options.dns && new DnsProxy(options.dns, { ...options, ...this.#callers() });
  }

  /** Why a changed configuration cannot be applied to a running agent, or undefined. */
  unchangeable(config: AgentConfig): string | undefined {
    if (config.runDir !== this.#runDir) return 'runDir cannot change while the agent runs';
    if (config.controlPlane.rootCert !== this.#rootCert) return 'controlPlane.rootCert cannot change while the agent runs';
    if (config.trustDomain !== this.#trustDomain) return 'trustDomain cannot change while the agent runs';
    if ((config.accessLogBytes ?? LOG_BYTES) !== this.#logBytes) return 'accessLogQueue cannot change while the agent runs';
    return undefined;
  }

  /**
   * Starts what is new, stops what is gone, starts anew what changed. Everything else is not touched. Rejects when the
   * run directory cannot be made, or is another agent's.
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
    this.#follower.stop();
    await this.#dns?.stop();
    this.#roots.close();
    this.#outside.close();
    this.#endClock();
    await this.#metrics?.server.close();
    await this.#statusServer?.close();
    await Promise.all([...this.#running.values()].map((workload) => workload.stop()));
    this.#running.clear();
    this.#around?.guard.end();
    this.#unlock();
  }

  /** The state of all workloads, for `gatehouse proxy secrets` and metrics. */
  status(): AgentStatus {
    const now = this.#options.clock.now();
    const workloads = [...this.#running.values()].map((workload) => workload.status(now.getTime()));
    return { pid: process.pid, time: now.toISOString(), roots: rootStatus(this.#roots.current()), workloads };
  }

  async #reconcile(config: AgentConfig): Promise<void> {
    const users = config.workloads.flatMap(({ envoy, workloadApi }) => [envoy?.owner?.uid ?? [], workloadApi?.uid ?? []].flat());
    const shared = users.some((uid) => uid !== process.getuid?.());
    await prepareRunDir(config.runDir, shared);
    const around = await this.#begin(config);
    this.#controlPlane = config.controlPlane;
    await this.#outside.configure(config);
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
    await this.#serveMetrics(config.metrics);
    around.emit({ event: 'config', workloads: [...wanted.keys()] });
  }

  async #begin(config: AgentConfig): Promise<Surroundings> {
    if (this.#around !== undefined) return this.#around;
    this.#unlock = lockRunDir(config.runDir);
    const folders = config.workloads.map(({ node }) =>
      basename(workloadPaths(config.runDir, node.namespace, node.pod).directory),
    );
    await endStrays(config.runDir, new Set(folders));
    await this.#roots.start(this.#options.timers, () => {
      for (const workload of this.#running.values()) workload.bundleChanged();
    });
    this.#follower.start();
    await this.#dns?.start();
    const guard = new Guard(config.runDir, Math.ceil(config.takeoverMs / 1000));
    this.#endClock = watchClock(this.#options.clock, this.#options.timers, (byMs) => {
      this.#options.log.warn({ byMs }, 'the clock was set, or the machine slept');
      for (const workload of this.#running.values()) workload.clockJumped();
    });
    await this.#serveStatus(config.runDir);
    const reachability = (authority: HostPort) => this.#reachabilityOf(authority);
    const outside = this.#outside;
    const around: Surroundings = {
      ...this.#options,
      outside,
      onRoots: (pem) => void this.#roots.learn(pem),
      bundle: () => this.#roots.current(),
      guard,
      reachability,
      turns: turns(MOST_CALLS),
      logs: { limitBytes: this.#logBytes, budget: new Budget(this.#logBytes * LOG_SHARES) },
    };
    this.#around = around;
    return around;
  }

  /** How streams of the agent's own reach the control plane, and as whom. */
  #callers(): Pick<FollowerOptions, 'address' | 'rootsPem' | 'svids'> {
    return {
      address: () => {
        const { address, serverName } = this.#controlPlane;
        return { target: targetOf(address), serverName, timeoutMs: 0 };
      },
      rootsPem: () => this.#roots.current()?.pem,
      svids: () => [...this.#running.values()].flatMap((workload) => workload.svid() ?? []),
    };
  }

  #newFollower(): TrustFollower {
    const { timers, random, log } = this.#options;
    return new TrustFollower({
      ...this.#callers(),
      take: async (pem) => {
        const learned = await this.#roots.learn(pem);
        if (learned.ok) await this.#rootsAccepted();
        return learned;
      },
      trustDomain: this.#trustDomain,
      onTrust: (trust) => this.#outside.learn(trust),
      onLive: (live) => this.#roots.setLive(live),
      onRevoked: (svid) => {
        for (const workload of this.#running.values()) if (workload.svid() === svid) workload.revoked();
      },
      timers,
      random,
      log,
    });
  }

  /** Resolves when each Envoy that has the agent's roots has accepted the current ones. */
  async #rootsAccepted(): Promise<void> {
    const now = this.#options.clock.now().getTime();
    const waiting = (): boolean =>
      !this.#stopping && [...this.#running.values()].some((workload) => workload.status(now).acknowledged.roots === false);
    while (waiting()) await new Promise<void>((resolve) => void this.#options.timers.after(ACCEPTED_LOOK_MS, resolve));
  }

  #reachabilityOf({ host, port }: HostPort): Reachability {
    const key = `${host} ${port}`;
    const known = this.#reachability.get(key);
    if (known !== undefined) return known;
    const made = new Reachability(tcpProbe(host, port), this.#options.timers, this.#options.random);
    this.#reachability.set(key, made);
    return made;
  }

  /** Who cannot see the state still gets certificates: neither server's failure stops the agent. */
  async #serveStatus(runDir: string): Promise<void> {
    try {
      this.#statusServer = await serveStatus(runDir, () => this.status());
    } catch (error) {
      this.#options.log.error({ error: String(error) }, 'gatehouse proxy secrets will not work');
    }
  }

  async #serveMetrics(address: HostPort | undefined): Promise<void> {
    if (isDeepStrictEqual(address, this.#metrics?.address)) return;
    await this.#metrics?.server.close();
    this.#metrics = undefined;
    if (address === undefined) return;
    try {
      const server = await serveMetrics(address, () => this.status());
      this.#metrics = { address, server };
      this.#options.log.info({ host: server.host, port: server.port }, 'metrics');
    } catch (error) {
      this.#options.log.error({ error: String(error) }, 'metrics cannot be served (choose another metricsAddress)');
    }
  }
}
