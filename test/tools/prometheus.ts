// Debian's Prometheus, scraping one address, and questions to it. Installed for root by setup/system-packages.sh.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { ownAddress } from './own-address.ts';

export interface Answer {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Body {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[] };
}

/** Whether the program is there; in CI, for root, it must be. */
export function hasPrometheus(): boolean {
  const there = spawnSync('prometheus', ['--version']).error === undefined;
  assert.ok(there || process.env['CI'] === undefined || process.getuid?.() !== 0, 'prometheus is missing');
  return there;
}

export class Prometheus {
  readonly #dir: string;
  readonly #url: string;
  readonly #process: ChildProcess;
  #output = '';

  private constructor(dir: string, address: string, child: ChildProcess) {
    this.#dir = dir;
    this.#url = `http://${address}`;
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  /** Scrapes `target` (HOST:PORT) each second. */
  static async start(target: string): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'gh-prometheus-'));
    const config = join(dir, 'prometheus.yaml');
    writeFileSync(
      config,
      `global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: mesh\n  static_configs: [{targets: ['${target}']}]\n`,
    );
    const address = `${ownAddress()}:9090`;
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'data')}`, `--web.listen-address=${address}`];
    const child = spawn('prometheus', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const prometheus = new Prometheus(dir, address, child);
    try {
      await eventually('a first scrape', async () => ((await prometheus.value('up == 1')) === 1 ? true : undefined), 60_000);
    } catch (error) {
      const output = prometheus.#output;
      await prometheus.stop();
      throw new Error(`${String(error)}\n${output.slice(-2_000)}`, { cause: error });
    }
    return prometheus;
  }

  /** What an expression gives now, or at a time (seconds since the epoch); undefined while it cannot be asked. @throws Error when it is wrong */
  async ask(query: string, at?: number): Promise<readonly Answer[] | undefined> {
    const parameters = new URLSearchParams({ query, ...(at === undefined ? {} : { time: at.toFixed(3) }) });
    const reply = await fetch(`${this.#url}/api/v1/query`, { method: 'POST', body: parameters }).catch(() => undefined);
    const text = await reply?.text().catch(() => undefined);
    if (reply === undefined || text === undefined || reply.status === 503) return undefined;
    const body: Body = JSON.parse(text);
    if (body.status !== 'success') throw new Error(`${query}: ${body.error ?? text}`);
    return (body.data?.result ?? []).map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The one number that an expression gives. */
  async value(query: string, at?: number): Promise<number | undefined> {
    return (await this.ask(query, at))?.[0]?.value;
  }

  async stop(): Promise<void> {
    const ended = this.#process.exitCode === null ? once(this.#process, 'exit') : undefined;
    this.#process.kill('SIGTERM');
    await ended;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
