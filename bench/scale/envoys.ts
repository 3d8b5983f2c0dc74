// Real Envoys as sidecars: one `gatehouse agent` keeps all of them in certificates from the server that is measured, and runs them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenIssuer } from '../../cli/up/tokens.ts';
import type { AgentEvent } from '../../sds/agent/event.ts';
import type { PlannedProxy } from '../mesh/plan.ts';
import { now } from '../xds/proxy.ts';
import type { Figures } from './figures.ts';
import { cpuSeconds, rssMb } from './process.ts';
import type { Target } from './target.ts';

const POLL_MS = 10;

export interface EnvoyChange {
  readonly write: () => void;
  /** Path of the admin interface, and whether what it answers has the change in it. */
  readonly seen: { readonly path: string; readonly in: (answer: string) => boolean };
}

interface Running {
  readonly pid: number;
  readonly adminSocket: string;
}

interface SyncStatus {
  readonly snapshot: number;
  readonly proxies: readonly {
    readonly acknowledged: number;
    readonly types: readonly { readonly bytes: number; readonly resources: number }[];
  }[];
}

function admin({ adminSocket: socketPath }: Running, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

export class Envoys {
  readonly #agent: ChildProcess;
  readonly #http: string;
  readonly #size: number;
  readonly #log: string;
  readonly #running = new Map<string, Running>();

  private constructor(agent: ChildProcess, http: string, size: number, log: string) {
    this.#agent = agent;
    this.#http = http;
    this.#size = size;
    this.#log = log;
    if (agent.stdout === null) throw new Error('gatehouse agent has no standard output');
    createInterface({ input: agent.stdout }).on('line', (line) => this.#note(line));
  }

  static async start(
    envoy: string,
    proxies: readonly PlannedProxy[],
    { gatehouse }: Target,
    tokens: TokenIssuer,
    dir: string,
  ): Promise<Envoys> {
    if (gatehouse === undefined) throw new RangeError('--envoys needs a server of ours');
    mkdirSync(join(dir, 'tokens'), { recursive: true });
    const workloads = await Promise.all(
      proxies.map(async ({ name, namespace, pod, serviceAccount, ip, labels }) => {
        const tokenFile = join(dir, 'tokens', `${namespace}.${pod}`);
        writeFileSync(tokenFile, await tokens.issue({ namespace, name: pod, serviceAccount }));
        return { namespace, serviceAccount, workload: name, pod, ip, labels, tokenFile, envoy: { concurrency: 1 } };
      }),
    );
    const config = join(dir, 'agent.yaml');
    const controlPlane = { address: gatehouse.grpc, rootCert: gatehouse.rootCert };
    writeFileSync(config, JSON.stringify({ controlPlane, runDir: join(dir, 'run'), envoy, drainTime: '1s', workloads }));
    const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
    const log = join(dir, 'agent.log');
    const agent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'agent', '--config', config], {
      stdio: ['ignore', 'pipe', openSync(log, 'w')],
    });
    return new Envoys(agent, gatehouse.http, proxies.length, log);
  }

  #note(line: string): void {
    const event: AgentEvent = JSON.parse(line);
    if (event.event !== 'ready') return;
    const { workload, pid, adminSocket } = event;
    if (pid !== undefined && adminSocket !== undefined) this.#running.set(workload, { pid, adminSocket });
  }

  #cpu(): number {
    return [...this.#running.values()].reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  }

  async #status(): Promise<SyncStatus> {
    const status: SyncStatus = JSON.parse(await (await fetch(`http://${this.#http}/debug/syncz`)).text());
    return status;
  }

  /** Until each has its listeners, and has answered for all that it was sent; then until none of them does anything any more. */
  async configured(timeoutMs: number): Promise<Figures> {
    const began = now();
    for (;;) {
      if (this.#agent.exitCode !== null)
        throw new Error(`gatehouse agent ended:\n${readFileSync(this.#log, 'utf8').slice(-2000)}`);
      if (this.#running.size === this.#size && (await this.#behind(0)) === 0) break;
      if (now() - began > timeoutMs) break;
      await sleep(100);
    }
    const wallSeconds = (now() - began) / 1000;
    await this.#calm();
    const all = [...this.#running.values()];
    const missing = this.#size - all.length;
    return {
      wallSeconds,
      clientCpuSeconds: this.#cpu(),
      memoryMb: all.reduce((sum, { pid }) => sum + rssMb(pid), 0) / Math.max(1, all.length),
      note: `RSS is of one Envoy${missing > 0 ? `; ${String(missing)} not ready` : ''}`,
    };
  }

  /** What one Envoy has allocated, in MB, without what its allocator keeps for later; and what it was sent, in MB. */
  async holdings(): Promise<{ readonly allocatedMb: number; readonly sentMb: number; readonly resources: number }> {
    const [one] = this.#running.values();
    if (one === undefined) throw new Error('no Envoy runs');
    const { allocated }: { readonly allocated: string } = JSON.parse(await admin(one, '/memory'));
    const [proxy] = (await this.#status()).proxies;
    const sum = (key: 'bytes' | 'resources') => (proxy?.types ?? []).reduce((total, type) => total + type[key], 0);
    return { allocatedMb: Number(allocated) / 1e6, sentMb: sum('bytes') / 1e6, resources: sum('resources') };
  }

  /** How many have not answered for the newest snapshot, which must be newer than `before`. */
  async #behind(before: number): Promise<number> {
    const { snapshot, proxies } = await this.#status();
    if (snapshot <= before) return this.#size;
    return this.#size - proxies.filter(({ acknowledged }) => acknowledged >= snapshot).length;
  }

  async #calm(): Promise<void> {
    for (let before = -1, round = 0; round < 60; round++) {
      const used = this.#cpu();
      if (used - before < 0.002 * this.#size) return;
      before = used;
      await sleep(500);
    }
  }

  /**
   * One change. Envoy acknowledges what it has taken over, so the time is until the server has the last acknowledgement, and the Envoys are
   * not disturbed by questions. Afterwards each of them is asked whether it has it.
   */
  async change({ write, seen }: EnvoyChange, server: number, timeoutMs: number): Promise<Figures> {
    await this.#calm();
    const { snapshot } = await this.#status();
    const [cpu, served, began] = [this.#cpu(), cpuSeconds(server), now()];
    write();
    let behind = this.#size;
    while (behind > 0 && now() - began < timeoutMs) {
      behind = await this.#behind(snapshot);
      if (behind > 0) await sleep(POLL_MS);
    }
    const lastMs = now() - began;
    await sleep(1000);
    const used = { cpuSeconds: cpuSeconds(server) - served, clientCpuSeconds: this.#cpu() - cpu };
    const have = await Promise.all([...this.#running.values()].map(async (one) => seen.in(await admin(one, seen.path))));
    const without = this.#size - have.filter(Boolean).length;
    return {
      ...used,
      ...(behind === 0 && { lastMs }),
      note:
        behind === 0 && without === 0
          ? 'all Envoys have it'
          : `${String(behind)} have not acknowledged it, ${String(without)} do not have it`,
    };
  }

  async stop(): Promise<void> {
    if (this.#agent.exitCode !== null || this.#agent.signalCode !== null) return;
    const gone = once(this.#agent, 'exit');
    this.#agent.kill('SIGTERM');
    const late = setTimeout(() => {
      // Envoys wait for another agent when theirs is killed; nobody comes.
      this.#agent.kill('SIGKILL');
      for (const { pid } of this.#running.values()) process.kill(pid, 'SIGKILL');
    }, 30_000);
    await gone;
    clearTimeout(late);
  }
}
